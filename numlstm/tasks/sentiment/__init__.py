"""Tell the class of a text, such as negative or positive, from its words in their order."""
