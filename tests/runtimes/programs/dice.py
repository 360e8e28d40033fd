# SPDX-License-Identifier: MIT
# As dice.rb, without the hook. Python makes the seed of `random` when that is imported, and Warm another one in each copy.
import os
import random
import secrets
import sys
import uuid

import numpy

print("ready", flush=True)
sys.stdin.readline()
print("own secrets", secrets.token_hex(16))
print("own uuid", uuid.uuid4())
print("own urandom", os.urandom(16).hex())
print("own system", random.SystemRandom().random())
print("own new", random.Random().random())
print("own numpy", numpy.random.default_rng().random())
print("own random", random.random())
print("own numpy.random", numpy.random.random())
