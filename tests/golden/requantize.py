#!/usr/bin/env python3
"""Makes requantize.json: known answers for the requantization of SPEC.md, from Python's exact integers.

Run: python3 tests/golden/requantize.py > tests/golden/requantize.json
"""
import json
import random

random.seed(2)
ACCUMULATORS = [0, 1, -1, 2, -2, 127, -128, 32767, -32768, 65536, 2**30, -(2**30), 2**31 - 1, -(2**31)]
MULTIPLIERS = [2**30, 2**30 + 1, 1_518_500_249, 2**31 - 2, 2**31 - 1]
SHIFTS = [1, 2, 15, 16, 17, 18, 30, 31, 32, 33, 38, 45, 46, 47, 61, 62]


def requantize(acc, multiplier, shift, zero_point, clamp_min, clamp_max):
    q = zero_point + ((acc * multiplier + (1 << (shift - 1))) >> shift)
    return max(clamp_min, min(clamp_max, q))


def case(acc, multiplier, shift, zero_point=0, clamp_min=-128, clamp_max=127):
    args = [acc, multiplier, shift, zero_point, clamp_min, clamp_max]
    return args + [requantize(*args)]


cases = [case(a, m, s) for a in ACCUMULATORS for m in MULTIPLIERS for s in SHIFTS]
# Halves: acc x 2^30 / 2^shift lands on .5 exactly, where rounding half up shows.
for shift in range(31, 62):
    for odd in (-5, -3, -1, 1, 3, 5):
        acc = odd << max(0, shift - 31)
        if -(2**31) <= acc < 2**31:
            cases.append(case(acc, 2**30, shift, random.randint(-128, 127)))
# Typical layers: results within or near int8.
for _ in range(3000):
    shift = random.randint(31, 62)
    multiplier = random.randint(2**30, 2**31 - 1)
    acc = round(random.uniform(-200, 200) * 2**shift / multiplier)
    acc = max(-(2**31), min(2**31 - 1, acc))
    low, high = sorted((random.randint(-128, 127), random.randint(-128, 127)))
    cases.append(case(acc, multiplier, shift, random.randint(-128, 127), low, high))

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
