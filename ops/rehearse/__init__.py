"""`make rehearse`: the real CDK command line deploys Kennel to a local AWS, and the deployment is used."""
