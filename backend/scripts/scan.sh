# The vulnerability gate of the Dockerfiles: runs in the scanner's image, on what is mounted below /scan.
# Exit codes: 0 nothing that counts, 1 a vulnerability, 33 the database cannot be had, 34 trivy failed.
# One file for each service, because a build sees one service's folder; they are the same on purpose.
set -eu

every=UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL
export TRIVY_SEVERITY="$SCAN_SEVERITY${every#*"$SCAN_SEVERITY"}"
export TRIVY_IGNORE_UNFIXED="$SCAN_IGNORE_UNFIXED" TRIVY_OFFLINE_SCAN="$TRIVY_OFFLINE"
export TRIVY_CACHE_DIR=/var/cache/trivy TRIVY_NO_PROGRESS=true
[ ! -s /run/secrets/ca ] || export SSL_CERT_FILE=/run/secrets/ca
# The exceptions of invoke.yaml, with their ends, as trivy understands them.
[ ! -s /run/secrets/scan ] || export TRIVY_IGNORE_POLICY=/run/secrets/scan
# A database that was loaded before comes as a named context.
if [ -s /loaded/db/trivy.db ]; then
    export TRIVY_CACHE_DIR=/loaded
elif [ "$TRIVY_OFFLINE" != true ] && ! trivy image --download-db-only 2>/tmp/said; then
    cat /tmp/said
    echo "the vulnerability database cannot be had: set TRIVY_DB or TRIVY_DB_REPOSITORY"
    exit 33
elif [ ! -s /var/cache/trivy/db/trivy.db ]; then
    echo "offline, and there is no vulnerability database: set TRIVY_DB"
    exit 33
fi
[ ! -s /loaded/java-db/trivy-java.db ] && [ "$TRIVY_OFFLINE" != true ] || export TRIVY_SKIP_JAVA_DB_UPDATE=true
export TRIVY_SKIP_DB_UPDATE=true
trivy version

# The lock file names what a bundler put into one file; the other two are what production is made of.
for what in "fs /scan/lock" "rootfs /scan/release" "rootfs /scan/base"; do
    code=0
    # shellcheck disable=SC2086 # two words
    trivy $what --scanners vuln --exit-code 5 --format template --template \
        '{{ range . }}{{ range .Vulnerabilities }}{{ .VulnerabilityID }} in {{ .PkgName }}@{{ .InstalledVersion }} ({{ .Severity | lower }}{{ if .FixedVersion }}, fixed in {{ .FixedVersion }}{{ end }}){{ "\n" }}{{ end }}{{ end }}' \
        >>/tmp/found 2>/tmp/said || code=$?
    if [ "$code" -ne 0 ] && [ "$code" -ne 5 ]; then
        cat /tmp/said
        exit 34
    fi
done
if [ -s /tmp/found ]; then
    # The gravest first, and the first of them again in the one line that a failed build ends with.
    for grave in '(critical' '(high' '(medium' '(low' '(unknown'; do
        awk -v grave="$grave" 'index($0, grave)' /tmp/found | sort -u >>/tmp/sorted
    done
    cat /tmp/sorted
    awk 'NR <= 3 { line = line sep $0; sep = "; " }
        END { if (NR > 3) line = line "; and " NR - 3 " more"; print "vulnerable: " line }' /tmp/sorted
    exit 1
fi
