"""What Python programs and notebooks use: `gan_lab.train`, `gan_lab.Run`, `gan_lab.Sweep`."""
