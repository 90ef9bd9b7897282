"""What is to be done: nodes, their order, and the forms a workflow is written in."""
