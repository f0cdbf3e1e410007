"""Write down what is said, or keyed, in a recording: from sound to text with CTC."""
