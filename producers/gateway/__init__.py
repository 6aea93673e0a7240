"""From a camera's card or a folder into object storage, losing nothing on the way."""
