"""Tests at the screen: real JupyterLab and Notebook 7, a real kernel, real Chromium."""
