terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = "pixelake"
      topology    = "stream"
    }
  }
}

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
