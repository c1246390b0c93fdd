"""The control plane: etcd, kube-apiserver and kube-controller-manager as processes of our own."""
