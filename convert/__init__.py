"""The conversion floor: Keras networks in, verified .tflite files out."""
