"""Training: run the camera forwards on HDR scenes, fit the stages backwards. Needs the `train` extra (torch).

scenes     HDR panoramas, held in memory          responses  camera curves, measured and made
views      random perspective views of them       plates     the camera: view -> plate, with every truth on the way
losses     what the stages are fitted with        stages     one trainer for each stage
validate   the table of the README                vgg        features for the perceptual loss
"""
