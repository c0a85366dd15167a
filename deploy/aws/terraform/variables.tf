variable "region" {
  description = "Where it is deployed."
  type        = string
  default     = "us-east-1"
}

variable "name" {
  description = "The beginning of all names."
  type        = string
  default     = "pixelake-stream"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}$", var.name))
    error_message = "Small letters, digits and hyphens, 2 to 29 of them: buckets are named after it."
  }
}

variable "code_bucket" {
  description = "The bucket, in this region, with what deploy/aws/package has made."
  type        = string
}

variable "code_folder" {
  description = "The beginning of its keys there, with a slash."
  type        = string
  default     = "pixelake/"
}

variable "image_repository" {
  description = "The repository of ECR, in this account and region, with the image."
  type        = string
}

variable "image_tag" {
  description = "The tag of the image."
  type        = string
  default     = "latest"
}

variable "alarm_email" {
  description = "Who is told of alarms; may be empty."
  type        = string
  default     = ""
}

variable "keep_data" {
  description = "The buckets and the table cannot be destroyed while they hold something."
  type        = bool
  default     = true
}

variable "architecture" {
  description = "Of functions: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Take x86_64 or arm64."
  }
}

variable "log_days" {
  description = "How long functions' logs are kept."
  type        = number
  default     = 30
}

variable "dashboard_rate" {
  description = "Requests a second of the dashboard."
  type        = number
  default     = 50
}

variable "scanned_bytes" {
  description = "Bytes that a question of Athena may read."
  type        = number
  default     = 107374182400
}

# terms.auto.tfvars.json has them: made from the program by terms.py, never by hand
variable "terms" {
  description = "What the program and all its stacks are set to."
  type = object({
    shards          = number
    retention_hours = number
    throttle        = object({ rate = number, burst = number })
    consume         = object({ batch = number, window = number, retries = number, age = number })
    functions       = map(object({ memory = number, timeout = number, zip = bool }))
    rights          = map(list(object({ actions = list(string), on = string, below = string, listed = string })))
    keep_every      = number
    routes          = list(string)
    lake            = string
    keys            = list(string)
    ttl             = string
    tables = map(object({
      parameters = map(string)
      columns    = list(object({ Name = string, Type = string }))
      input      = string
      output     = string
      library    = string
      folder     = string
    }))
  })
}
