# Every image of this repository. Slipway's tasks learn the targets from here and from nowhere else;
# `docker buildx bake` by hand builds the same, with the variables taken from the environment.
# What each variable means stands in .env.example.

variable "PROJECT" { default = "devops" }
variable "VERSION" { default = "0.0.0" }
variable "GIT_COMMIT" { default = "unknown" }
variable "BUILD_DATE" { default = "1970-01-01T00:00:00Z" }
variable "REGISTRY" { default = "" }
variable "NODE_IMAGE" { default = "node:22-bookworm-slim" }
variable "NODE_FULL_IMAGE" { default = "node:22" }
variable "NGINX_IMAGE" { default = "nginxinc/nginx-unprivileged:1.30" }
variable "NGINX_SLIM_IMAGE" { default = "nginxinc/nginx-unprivileged:1.30-alpine-slim" }
variable "RUNTIME_IMAGE" { default = "" }
variable "DISTROLESS_IMAGE" { default = "distroless/nodejs22-debian13:nonroot" }
variable "DISTROLESS_DEBUG_IMAGE" { default = "distroless/nodejs22-debian13:debug-nonroot" }
variable "PLATFORMS" { default = "linux/amd64,linux/arm64,linux/arm/v7" }
variable "NODE_ENV" { default = "production" }
variable "REACT_APP_API_URL" { default = "/api" }
variable "CA_BUNDLE" { default = "" }
variable "SCAN_GATE" { default = "off" }
variable "SCAN_SEVERITY" { default = "HIGH" }
variable "SCAN_IGNORE_UNFIXED" { default = "false" }
variable "TRIVY_IMAGE" { default = "aquasec/trivy:0.72.0@sha256:cffe3f5161a47a6823fbd23d985795b3ed72a4c806da4c4df16266c02accdd6f" }
variable "TRIVY_DB_REPOSITORY" { default = "" }
variable "TRIVY_JAVA_DB_REPOSITORY" { default = "" }
variable "TRIVY_OFFLINE" { default = "false" }

# "devops-backend", "latest" -> "host/path/devops-backend:latest"
function "image" {
  params = [name, tag]
  result = REGISTRY == "" ? "${name}:${tag}" : "${REGISTRY}/${name}:${tag}"
}

group "default" { targets = ["multistage"] }

group "multistage" {
  targets = [
    "frontend-development", "frontend-testing", "frontend-production",
    "backend-development", "backend-debug", "backend-testing", "backend-production",
  ]
}

group "multiarch" { targets = ["frontend-multiarch", "backend-multiarch"] }

group "multiarch-debug" { targets = ["frontend-multiarch-debug", "backend-multiarch-debug"] }

group "optimized" { targets = ["frontend-optimized", "backend-optimized"] }

group "optimized-debug" { targets = ["frontend-optimized-debug", "backend-optimized-debug"] }

group "baseline" { targets = ["frontend-baseline", "backend-baseline"] }

# ---- What all targets share -------------------------------------------------------------------

target "_common" {
  args = {
    NODE_IMAGE = NODE_IMAGE
    VERSION    = VERSION
    GIT_COMMIT = GIT_COMMIT
    BUILD_DATE = BUILD_DATE
  }
  labels = {
    "dev.slipway.project"               = PROJECT
    "org.opencontainers.image.version"  = VERSION
    "org.opencontainers.image.revision" = GIT_COMMIT
    "org.opencontainers.image.created"  = BUILD_DATE
  }
  # Provenance gives every build another digest, which hides that nothing changed.
  attest = ["type=provenance,disabled=true"]
  # The certificate authorities of a company's proxy, for the steps that download.
  secret = CA_BUNDLE == "" ? [] : ["type=file,id=ca,src=${CA_BUNDLE}"]
}

target "_frontend" {
  inherits = ["_common"]
  context  = "frontend"
  args = {
    NODE_ENV          = NODE_ENV
    REACT_APP_API_URL = REACT_APP_API_URL
  }
  labels = { "org.opencontainers.image.title" = "devops-frontend" }
}

target "_backend" {
  inherits = ["_common"]
  context  = "backend"
  labels   = { "org.opencontainers.image.title" = "devops-backend" }
}

# The vulnerability gate of the images that ship: off, it is no stage of the build at all; on, it
# runs anew in every build, because its database is another one every day.
target "_gated" {
  args = {
    SCAN_GATE                = SCAN_GATE
    SCAN_SEVERITY            = SCAN_SEVERITY
    SCAN_IGNORE_UNFIXED      = SCAN_IGNORE_UNFIXED
    TRIVY_IMAGE              = SCAN_GATE == "on" && TRIVY_IMAGE != "" ? TRIVY_IMAGE : "scratch"
    TRIVY_DB_REPOSITORY      = TRIVY_DB_REPOSITORY
    TRIVY_JAVA_DB_REPOSITORY = TRIVY_JAVA_DB_REPOSITORY
    TRIVY_OFFLINE            = TRIVY_OFFLINE
  }
  no-cache-filter = SCAN_GATE == "on" ? ["scan-on"] : []
}

# ---- Baseline: the single-stage images to compare with ----------------------------------------

target "frontend-baseline" {
  description = "Frontend in one stage on the full Node image, for comparison"
  inherits    = ["_frontend"]
  dockerfile  = "Dockerfile.baseline"
  args        = { NODE_IMAGE = NODE_FULL_IMAGE }
  tags        = [image("devops-frontend", "baseline")]
}

target "backend-baseline" {
  description = "Backend in one stage on the full Node image, for comparison"
  inherits    = ["_backend"]
  dockerfile  = "Dockerfile.baseline"
  args        = { NODE_IMAGE = NODE_FULL_IMAGE }
  tags        = [image("devops-backend", "baseline")]
}

# ---- Multistage -------------------------------------------------------------------------------

target "_frontend-multistage" {
  inherits   = ["_frontend", "_gated"]
  dockerfile = "Dockerfile.multistage"
  args       = { NGINX_IMAGE = NGINX_IMAGE }
}

target "frontend-development" {
  description = "Frontend with hot reload on port 3000"
  inherits    = ["_frontend-multistage"]
  target      = "development"
  tags        = [image("devops-frontend", "dev")]
}

target "frontend-testing" {
  description = "Frontend's tests, run by starting the image"
  inherits    = ["_frontend-multistage"]
  target      = "testing"
  tags        = [image("devops-frontend", "test")]
}

target "frontend-production" {
  description = "Frontend on unprivileged nginx, behind lint, types, tests and checks"
  inherits    = ["_frontend-multistage"]
  target      = "production"
  tags        = [image("devops-frontend", "latest"), image("devops-frontend", VERSION)]
}

target "_backend-multistage" {
  inherits   = ["_backend", "_gated"]
  dockerfile = "Dockerfile.multistage"
  args       = { RUNTIME_IMAGE = RUNTIME_IMAGE == "" ? NODE_IMAGE : RUNTIME_IMAGE }
}

target "backend-development" {
  description = "Backend that restarts on changes"
  inherits    = ["_backend-multistage"]
  target      = "development"
  tags        = [image("devops-backend", "dev")]
}

target "backend-debug" {
  description = "Backend that restarts on changes, debugger on port 9229"
  inherits    = ["_backend-multistage"]
  target      = "debug"
  tags        = [image("devops-backend", "debug")]
}

target "backend-testing" {
  description = "Backend's tests, run by starting the image"
  inherits    = ["_backend-multistage"]
  target      = "testing"
  tags        = [image("devops-backend", "test")]
}

target "backend-production" {
  description = "Backend with production dependencies only, behind lint, types, tests and checks"
  inherits    = ["_backend-multistage"]
  target      = "production"
  tags        = [image("devops-backend", "latest"), image("devops-backend", VERSION)]
}

# ---- Multiarch: one image for every platform, none of it built under emulation ------------------

target "_frontend-multiarch" {
  inherits   = ["_frontend", "_gated"]
  dockerfile = "Dockerfile.multiarch"
  args       = { NGINX_IMAGE = NGINX_IMAGE }
}

target "frontend-multiarch" {
  description = "Frontend for every platform of PLATFORMS"
  inherits    = ["_frontend-multiarch"]
  target      = "runtime"
  platforms   = split(",", replace(PLATFORMS, " ", ""))
  tags        = [image("devops-frontend", "multiarch"), image("devops-frontend", "${VERSION}-multiarch")]
}

target "frontend-multiarch-debug" {
  description = "The same for this machine's platform, readable and with source maps"
  inherits    = ["_frontend-multiarch"]
  target      = "debug"
  tags        = [image("devops-frontend", "multiarch-debug")]
}

target "_backend-multiarch" {
  inherits   = ["_backend", "_gated"]
  dockerfile = "Dockerfile.multiarch"
  args       = { RUNTIME_IMAGE = RUNTIME_IMAGE == "" ? NODE_IMAGE : RUNTIME_IMAGE }
}

target "backend-multiarch" {
  description = "Backend for every platform of PLATFORMS"
  inherits    = ["_backend-multiarch"]
  target      = "runtime"
  platforms   = split(",", replace(PLATFORMS, " ", ""))
  tags        = [image("devops-backend", "multiarch"), image("devops-backend", "${VERSION}-multiarch")]
}

target "backend-multiarch-debug" {
  description = "The same for this machine's platform, with the debugger on port 9229"
  inherits    = ["_backend-multiarch"]
  target      = "debug"
  tags        = [image("devops-backend", "multiarch-debug")]
}

# ---- Optimized: the smallest image, the quickest to build again ----------------------------------

target "_frontend-optimized" {
  inherits   = ["_frontend", "_gated"]
  dockerfile = "Dockerfile.optimized"
  args       = { NGINX_SLIM_IMAGE = NGINX_SLIM_IMAGE }
}

target "frontend-optimized" {
  description = "Frontend on the smallest unprivileged nginx"
  inherits    = ["_frontend-optimized"]
  target      = "production"
  tags        = [image("devops-frontend", "optimized"), image("devops-frontend", "${VERSION}-optimized")]
}

target "frontend-optimized-debug" {
  description = "The same, readable and with source maps"
  inherits    = ["_frontend-optimized"]
  target      = "debug"
  tags        = [image("devops-frontend", "optimized-debug")]
}

target "_backend-optimized" {
  inherits   = ["_backend", "_gated"]
  dockerfile = "Dockerfile.optimized"
  args = {
    DISTROLESS_IMAGE       = DISTROLESS_IMAGE
    DISTROLESS_DEBUG_IMAGE = DISTROLESS_DEBUG_IMAGE
  }
}

target "backend-optimized" {
  description = "Backend in one bundled file on distroless, without a shell"
  inherits    = ["_backend-optimized"]
  target      = "production"
  tags        = [image("devops-backend", "optimized"), image("devops-backend", "${VERSION}-optimized")]
}

target "backend-optimized-debug" {
  description = "The same with a shell and the debugger on port 9229"
  inherits    = ["_backend-optimized"]
  target      = "debug"
  tags        = [image("devops-backend", "optimized-debug")]
}
