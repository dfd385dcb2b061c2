"""The LLaVA model that is trained, its processor and its attention over packs; start at ``llava.py``.

Where a function handles tensors of several shapes, a name ends in the tensor's axes: ``logits_bkv`` is [B, K, V]. A
digit is an axis of that size, a letter twice an axis of the same length. Here, in ``data`` and in ``training``:

- B packs of a batch
- L places of a pack, or tokens of one sample; K places that are kept, where any pack has a label; M labels
- S segments of a pack, which are its samples
- V words, D width (of attention, of one head), H heads
- N images; of their pixels C channels, H height, W width

What only one file has, its docstring says.
"""
