"""When trades happen: the market's clock, and one symbol's trades as they come due."""
