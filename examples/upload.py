"""Upload one photograph: upload.py FILE STATION CAMERA. The key is STATION/CAMERA/NAME, and nothing else is needed."""

import os
import sys
from pathlib import Path

import boto3

photograph, station, camera = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = boto3.client(
    "s3",
    endpoint_url=os.environ["UNCIA_S3_ENDPOINT"],
    region_name="us-east-1",
    aws_access_key_id=os.environ["UNCIA_S3_ACCESS_KEY"],
    aws_secret_access_key=os.environ["UNCIA_S3_SECRET_KEY"],
)
key = f"{station}/{camera}/{photograph.name}"
store.put_object(Bucket="camera-uploads", Key=key, Body=photograph.read_bytes())
print(key)
