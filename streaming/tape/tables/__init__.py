"""A file of anybody's -> a table: what is packed in it, its columns by field, their values."""
