"""Training: run the camera forwards on HDR scenes, fit the stages backwards. Needs the `train` extra (torch).

sources                scenes from folders of float pictures, one at a time
scenes, views          HDR panoramas and photographs, held in memory as half floats; random views of them
responses              camera curves, measured and made; response_basis computes what is shipped of them
plates, photograph     what plates are like; the camera: view -> plate, with every truth on the way
randomness             a generator for each step of each worker, and what is drawn with it
pairs, pair_layouts, clip_level                 photographs with their light: read, found, brought to one exposure
dequantize, linearize, hallucinate              each stage's losses, its step and its score
joint, refine          the first three together; the rest, perhaps with all of them
system, whole          the stages one after the other; a stage with its overview network
losses, whole_score, vgg                        what they share; features for the perceptual loss
loop                   fits any stage: rates, averaged weights, precision; what a stage has to offer
optimiser, checkpoints, journal, board, progress     of a run: how weights move, what it goes on from, what it says
distributed            several processes that torchrun started
recipe                 what stages are trained with: recipes/default.toml, recipes/published.toml, yours
trainable, default_model, published_model       how the stages of the models are made and exported
session, start, runs   one command's training; what it starts from; what it leaves
model_export           the model folder of what was trained
validation_plates, validate                     the table of the README
cli                    `hdrnodes train ...`
"""
