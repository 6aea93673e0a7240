"""What the self-contained pages share: the base template, thumbnails, and the check that a picture is the right one."""
