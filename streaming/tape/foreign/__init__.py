"""What others have recorded, tables and messages -> one symbol's trades and quotes, in order."""
