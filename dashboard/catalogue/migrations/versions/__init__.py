"""The changes of the tables, in order. A released one is never edited."""
