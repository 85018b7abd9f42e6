"""When a market happens: its clock, the marks of its time, and rows as they come due."""
