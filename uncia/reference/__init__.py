"""Generated reference pages: events, AsyncAPI, settings."""
