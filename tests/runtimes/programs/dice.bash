# SPDX-License-Identifier: MIT
# As dice.rb. bash makes its seed when it starts.
echo ready
read -r _
echo "own SRANDOM $SRANDOM$SRANDOM"
echo "kept RANDOM $RANDOM,$RANDOM,$RANDOM,$RANDOM"
RANDOM=$SRANDOM
echo "own reseeded $RANDOM,$RANDOM,$RANDOM,$RANDOM"
