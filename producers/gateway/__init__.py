"""Uploads photographs from a folder or a memory card to object storage, and loses none on the way."""
