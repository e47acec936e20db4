"""P1, "Winning the Lottery Ahead of Time: Efficient Early Network Pruning": structured beside unstructured, and costs.

Its tables 1, 2, 5 and 6 and its figures 1 and 3 are parts of every report of methods that has what they need.
"""

from __future__ import annotations

CITATION = """\
@inproceedings{rachwan_2022_early_crop,
  title     = {Winning the Lottery Ahead of Time: Efficient Early Network Pruning},
  author    = {Rachwan, John and Z{\\"u}gner, Daniel and Charpentier, Bertrand and Geisler, Simon and Ayle, Morgane
               and G{\\"u}nnemann, Stephan},
  booktitle = {International Conference on Machine Learning},
  year      = {2022}
}"""
