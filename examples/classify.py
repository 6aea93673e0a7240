"""Send one photograph to Triton and print its three best classes: classify.py FILE.

`decode_frame` prepares the photograph as the model expects it: without the printed strips, scaled, uint8 RGB.
"""

import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

from uncia.imaging.frames import decode_frame
from uncia.serving.model_card import read_active_card
from uncia.serving.triton_access import key_headers
from uncia.settings import read_settings

settings = read_settings()
card = read_active_card(settings)  # the live version, with its frame size and its labels
pixels = decode_frame(Path(sys.argv[1]).read_bytes(), card.frame, max_pixels=150_000_000).pixels[np.newaxis]
tensor = triton.InferInput(card.input, list(pixels.shape), "UINT8")
tensor.set_data_from_numpy(pixels)
with triton.InferenceServerClient(settings.triton) as client:
    response = client.infer(
        card.model, [tensor], model_version=card.version, headers=key_headers(settings), client_timeout=10
    )
scores = response.as_numpy(card.windows)[0]
for index in np.argsort(-scores)[:3]:
    print(f"{scores[index]:.6f}\t{card.labels.classes[index].label}")
