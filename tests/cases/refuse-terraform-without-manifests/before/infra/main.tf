resource "flux_bootstrap_git" "harbour" {
  path    = "harbour"
  version = "v2.6.4"
}
