"""Taken over: dropout, embedding, normalisation and attention are being written in ops/dropout.py, ops/embedding.py, ops/normalization.py and
ops/attention.py by someone else (09:07); pooling in ops/pooling.py; losses in ops/losses.py. Finish convolution only."""
