"""The camera, forwards: what each node of `hdrnodes.nodes` undoes.

    scene  -> optics -> exposure -> noise -> clipping -> local tone mapping -> response -> sharpening
    nodes:                                   Hallucinate                       InverseCRF
           -> quantisation -> jpeg -> resizing -> quantisation -> jpeg -> plate
              Dequantize

`optics` is never undone: what falls on the sensor is the truth. What has no node of its own is left to Refine: local
tone mapping and sharpening. A file each, and two that they share: `spread` (filters by frequency) and `constants`.

Every function takes numpy arrays and torch tensors alike (one code path, through the array API), float32; most take any
leading dimensions. Random numbers are passed in, so that the same draw gives the same plate in both.
"""
