"""The pages, one module each: a router, the model of the page, and the functions that fill it."""
