"""Run in the peer environment: logits of PEFT's model of a base (an .npz file) and a directory of adapters.

`python tests/peers/adapter_logits.py JOB.npz ADAPTER_DIR LOGITS.npy`, with the repository's root in PYTHONPATH.
"""

import json
import sys

import numpy as np
import torch
from peft import PeftModel

from training.bench.with_torch import transformers_model
from training.shapes import ModelShape

with np.load(sys.argv[1]) as stored:
    arrays = dict(stored)
base = transformers_model(ModelShape(**json.loads(str(arrays["shape"]))), arrays)
model = PeftModel.from_pretrained(base, sys.argv[2]).eval()
with torch.inference_mode():
    np.save(sys.argv[3], model(torch.tensor(arrays["tokens"]).long()).logits.numpy())
