"""The tensorflow plugin: hands over the framework, and imports nothing of TensorFlow until a worker needs it."""
