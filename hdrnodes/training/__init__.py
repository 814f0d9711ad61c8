"""Training: run the camera forwards on HDR scenes, fit the stages backwards. Needs the `train` extra (torch).

sources                scenes from folders of float pictures, one at a time
scenes, views          HDR panoramas, held in memory; random perspective views of them
responses              camera curves, measured and made; response_basis computes what is shipped of them
plates                 the camera: view -> plate, with every truth on the way
pairs, pair_layouts, clip_level                 photographs with their light: read, found, brought to one exposure
dequantize, linearize, hallucinate, refine      each stage's losses, its step and its score
losses, vgg            what they share; features for the perceptual loss
loop                   fits any stage: rates, averaged weights, precision; what a stage has to offer
optimiser, checkpoints, journal, board, progress     of a run: how weights move, what it goes on from, what it says
distributed            several processes that torchrun started
default_model, whole   how `default` is made, its recipes, its export; a stage with its overview network
validation_plates, validate                     the table of the README
cli                    `hdrnodes train ...`
"""
