"""Writes golden.json: range-aware accuracy of random scores, straight from the definitions."""
import json
import os
import numpy as np


def volume(score, windows, buffer, count=250):
    n = len(score)
    falling = np.sort(score)[::-1]
    thresholds = falling[(n - 1) * np.arange(count) // (count - 1)]
    inside = np.zeros(n)
    for a, b in windows:
        inside[a : b + 1] = 1
    areas = []
    for width in range(buffer + 1):
        label = inside.copy()
        for a, b in windows:
            for distance in range(1, width // 2 + 1):
                slope = np.sqrt(1 - distance / width)
                for row in (a - distance, b + distance):
                    if 0 <= row < n:
                        label[row] = min(1, label[row] + slope)
        ranges = []
        for a, b in windows:
            a, b = max(0, a - width // 2), min(n, b + width // 2 + 1)
            if ranges and a < ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], b)
            else:
                ranges.append((a, b))
        area, before = 0.0, 0.0
        for threshold in thresholds:
            found = score >= threshold
            hit = (label * found).sum()
            mass = np.where(inside > 0, 1, label * found).sum()
            recall = min(hit / ((inside.sum() + mass) / 2), 1)
            recall *= np.mean([found[a:b].any() for a, b in ranges])
            area += (recall - before) * hit / found.sum()
            before = recall
        areas.append(area)
    return float(np.mean(areas))


def precision(score, windows):
    label = np.zeros(len(score))
    for a, b in windows:
        label[a : b + 1] = 1
    area, before = 0.0, 0.0
    for threshold in np.unique(score)[::-1]:
        found = score >= threshold
        recall = label[found].sum() / label.sum()
        area += (recall - before) * label[found].mean()
        before = recall
    return float(area)


def cases():
    random = np.random.default_rng(20261121)
    for n, windows, buffer, ties in [
        (400, [(100, 130)], 20, False),
        (600, [(5, 9), (60, 70), (300, 380), (596, 599)], 30, False),
        (500, [(200, 210), (215, 230)], 16, True),
        (300, [(50, 50)], 7, True),
    ]:
        score = random.normal(size=n)
        for a, b in windows:
            score[max(0, a - 3) : b + 4] += random.uniform(0, 2)
        score = np.round(score, 1 if ties else 6)
        yield {
            "scores": score.tolist(),
            "windows": windows,
            "buffer": buffer,
            "volume": volume(score, windows, buffer),
            "averagePrecision": precision(score, windows),
        }


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
    with open(path, "w") as file:
        json.dump(list(cases()), file, separators=(",", ":"))
