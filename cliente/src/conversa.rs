//! A conversa com um servidor desconhecido: o socket e o que se entende do que ele diz. A multidão e o avaliador
//! falam por aqui, e por isso ouvem igual. Não julga e não guarda história.
//!
//! ```text
//!   ligacao                    um socket: conectar, pedir, ouvir com prazo
//!     ├──► escuta ─► enquadrador       os bytes viram mensagens, e cada uma tem um papel
//!     │       └────► desfecho ─► texto    o que uma resposta disse, e o que dela se mostra
//!     ├──► parada             Ctrl-C fecha os sockets, e acorda todos
//!     └──► fim_de_linha       o que vai depois de cada comando
//! ```

pub mod desfecho;
pub mod enquadrador;
pub mod escuta;
pub mod fim_de_linha;
pub mod ligacao;
pub mod parada;
pub mod texto;
