"""The camera, forwards: what each node of `hdrnodes.nodes` undoes.

    scene  -> exposure -> noise -> clipping -> response -> quantisation -> jpeg -> plate
    nodes:                         Hallucinate  InverseCRF  Dequantize

Every function takes numpy arrays and torch tensors alike (one code path, through the array API), float32, any leading
dimensions. Random numbers are passed in, so that the same draw gives the same plate in both.
"""
