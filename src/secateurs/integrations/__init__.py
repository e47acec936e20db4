"""Early pruning in other people's trainers: a callback for Lightning, a callback and tasks for transformers.

Each module needs its extra (``pip install 'secateurs[lightning]'``, ``'secateurs[transformers]'``) and is imported by
its own name; this package imports neither.
"""
