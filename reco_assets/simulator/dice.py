"""Random numbers inside compiled loops: SplitMix64 (Steele, Lea, Flood 2014), one stream per session."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

Dice = npt.NDArray[np.uint64]

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)


@njit(cache=True, inline="always")
def mix(value: np.uint64) -> np.uint64:
    """A bijection of 64-bit integers whose outputs look random."""
    value = (value ^ (value >> _30)) * _FIRST
    value = (value ^ (value >> _27)) * _SECOND
    return value ^ (value >> _31)


@njit(cache=True)
def mixed(values: Dice) -> Dice:
    """:func:`mix` of each of ``uint64[n]``."""
    result = np.empty_like(values)
    for row in range(len(values)):
        result[row] = mix(values[row])
    return result


@njit(cache=True)
def uniform(dice: Dice) -> float:
    """In (0, 1), both ends excluded; advances the stream in ``dice[0]``."""
    dice[0] += _STEP
    return (float(mix(dice[0]) >> _12) + 0.5) * (1.0 / 4503599627370496.0)


@njit(cache=True)
def below(dice: Dice, limit: int) -> int:
    """An integer from 0 to ``limit - 1``."""
    return int(uniform(dice) * limit)


@njit(cache=True)
def normal(dice: Dice) -> float:
    """Standard normal (Box and Muller)."""
    return math.sqrt(-2.0 * math.log(uniform(dice))) * math.cos(2.0 * math.pi * uniform(dice))


@njit(cache=True)
def gumbel(dice: Dice) -> float:
    """Standard Gumbel: the largest of ``u_i + gumbel`` is i with probability softmax(u)_i."""
    return -math.log(-math.log(uniform(dice)))


@njit(cache=True)
def draw(dice: Dice, ends: npt.NDArray[np.float64], first: int, last: int) -> int:
    """A row of ``[first, last)`` by the weights whose running sums over all rows are ``ends``."""
    start = ends[first - 1] if first > 0 else 0.0
    mark = start + uniform(dice) * (ends[last - 1] - start)
    low, high = first, last - 1
    while low < high:
        middle = (low + high) // 2
        if ends[middle] > mark:
            high = middle
        else:
            low = middle + 1
    while low > first and ends[low] <= ends[low - 1]:  # rounding led to a row without weight
        low -= 1
    return low
