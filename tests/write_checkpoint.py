"""Write TensorFlow 1 checkpoints as training does; run by tests as a script, as TensorFlow wants a process of its own.

    python write_checkpoint.py '{"variables": "v.npz", "prefix": "ckpt/model.ckpt", ...}'

prints the names of all that it saved. Each step after the first doubles the biases.
"""

import json
import sys

import numpy as np


def write(variables, prefix, scope="", adam=False, steps=(0,)):
    import tensorflow.compat.v1 as tf  # here: pytest looks for doctests in this file, and most have no TensorFlow

    with tf.Graph().as_default(), tf.Session() as session:
        with np.load(variables) as arrays, tf.variable_scope(scope or tf.get_variable_scope()):
            made = [
                tf.get_variable(name, initializer=value, trainable="moving" not in name)
                for name, value in arrays.items()
            ]
        if adam:
            loss = tf.add_n([tf.nn.l2_loss(variable) for variable in made])
            tf.train.AdamOptimizer(1e-4).minimize(loss)
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver(max_to_keep=None)
        doubled = [tf.assign(bias, 2 * bias) for bias in made if bias.shape.rank == 1]
        for step in steps:
            if step:
                session.run(doubled)
            saver.save(session, prefix, global_step=step or None, write_meta_graph=False)
        return [variable.op.name for variable in tf.global_variables()]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(write(**json.loads(sys.argv[1]))))
