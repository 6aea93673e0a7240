#!/bin/sh
# Formats Kafka's storage at the first start, then becomes the broker. For Apache's image, whose own start script writes
# into the image's folders.
#
# Usage: sh start.sh FILES DATA     FILES: the folder with server.properties; DATA: the volume, with the log in DATA/log
# KAFKA_LIBS: the folder of Kafka's jars.
set -eu

files=$1
data=$2
set -- -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    -Dlog4j2.configurationFile="$files/log4j2.properties" -cp "${KAFKA_LIBS:-/opt/kafka/libs}/*"

# The stamp is written last: a format that was interrupted is repeated, because no message can have been stored yet.
# The tool does not sync. Without it a power cut could leave half a format, or lose the stamp, and then all messages.
if [ ! -f "$data/formatted" ]; then
    rm -rf "$data/log"
    mkdir "$data/log"
    cluster=$(cat "$files/cluster-id")
    java -Xmx128m "$@" kafka.tools.StorageTool format --cluster-id "$cluster" --config "$files/server.properties"
    sync
    touch "$data/formatted"
    sync
fi
exec java -Xms512m -Xmx512m "$@" kafka.Kafka "$files/server.properties"
