//! A multidão da atividade (§5): usuários simulados que consultam, decidem, compram e escutam, e no
//! fim testemunham se o servidor vendeu direito.
//!
//! ```text
//!   main ─► opcoes, saida
//!     │
//!     ├──► simulacao            monta a multidão e recolhe as histórias
//!     │       ├──► limites      quantas threads cabem no que o sistema dá
//!     │       ├──► piscina      N threads da std, fixas
//!     │       │      └──► sessao      leva um usuário por um socket de verdade; a primeira descobre o
//!     │       │             │           fim de linha, e depois da última alguém visita
//!     │       │             ├──► usuario ─► roteiro   o que ele faz e quando; puro
//!     │       │             └──► escuta ─► ouvido     os bytes viram respostas e AVISOs
//!     │       ├──► arquivo      o que fica das histórias longas, e o CSV
//!     │       ├──► parada       Ctrl-C acorda todos
//!     │       └──► painel       o andamento e os AVISOs, ao vivo
//!     │
//!     ├──► historia, medidas    o que se viveu, e as contas
//!     │       └──► auditoria ─► parecer;  resumo;  exigencia      funções puras sobre isso
//!     │               ├──► relatorio ─► graficos      JSON para programas, HTML para pessoas
//!     │               └──► desenho, cores             uma contradição no tempo; as cores do terminal
//!     │
//!     └──► avaliacao            dá nota a um servidor, com a mesma auditoria
//! ```
//!
//! # O que nunca muda
//!
//! - [`usuario`] e [`roteiro`] não olham o relógio nem conhecem sockets: o tempo é um argumento, e
//!   vinte ciclos de dez segundos são testados em microssegundos.
//! - As threads não compartilham quase nada enquanto simulam: cada uma *devolve* as suas histórias. Há
//!   o pedido de parada, um canal de notícias, que o painel consome, o fim de linha, que se descobre uma
//!   vez, o instante em que alguém viu o estoque vazio, e o [`arquivo`], a que um usuário só vai a cada 256
//!   operações.
//! - O que o servidor diz não é confiável: números negativos, textos estranhos e mensagens coladas
//!   são fatos a registrar, nunca motivo para parar.
//! - O cliente não sabe como o servidor é feito: só o protocolo os une.

pub mod auditoria;
pub mod avaliacao;
pub mod conversa;
mod cores;
pub mod exigencia;
pub mod historia;
pub mod multidao;
pub mod opcoes;
pub mod relatorio;
pub mod saida;
pub mod tempo;
