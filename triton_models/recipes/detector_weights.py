"""The published weights of `animal_detector`: facts for the recipe and the installation, without further imports."""

NAME = "animal_detector"
"""The model that is built from them."""

PACKAGE, PACKAGE_VERSION = "zamba", "2.7.2"
FILE = "yolox_tiny_640_20220528.pth"
MEMBER = f"zamba/object_detection/yolox/assets/{FILE}"
"""The file in the package's wheel, 40 MB."""

SHA256 = "31f8690fc62f9d0756f1e8c09b0b02e5ade106173ed0a30743d47c004f88f4e0"
LICENCE = "MIT"
