"""The sources: which URL has the next page of a query, and which records a page holds. Pure, without any request."""
