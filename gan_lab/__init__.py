"""gan_lab: train GANs under interchangeable losses and find out, honestly, which loss is better."""
