//! Por que uma conexão terminou, e o que ela ainda ouve por isso. Quem a leva até o fim é a conexão.

use std::fmt;

use protocolo::{Comando, Resposta};

/// Por que uma conexão terminou. `Display` dá a palavra que vai ao registro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fim {
    /// O cliente fechou em ordem.
    Cliente,
    /// O socket quebrou: reset, ou qualquer outro erro de leitura ou escrita.
    Reset,
    /// Ninguém confirma do outro lado: a máquina desligou, a rede caiu, ou há muito que não lê nada.
    Sumiu,
    /// O cliente mandou SAIR.
    Sair,
    /// O cliente mandou uma linha maior que o limite.
    LinhaLonga,
    /// O cliente fala HTTP ou TLS.
    OutroProtocolo,
    /// Não havia lugar.
    Lotado,
    /// Do endereço dela já havia conexões demais (`--max-por-endereco`).
    LotadoParaOIp,
    /// Passou do tempo de `--ocioso` sem mandar nada.
    Ocioso,
    /// Começou uma linha e não a terminou em [`PRAZO_DA_LINHA`](super::PRAZO_DA_LINHA).
    LinhaIncompleta,
    /// Passou [`PRAZO_DA_SAIDA`](super::PRAZO_DA_SAIDA) sem ler nada do que espera por ele.
    NaoLe,
    /// O que esperava por todos passou do teto, e este era dos que há mais tempo não liam.
    MemoriaCheia,
    /// O estoque, que outros servidores repartem, não disse a tempo se uma compra dela valeu.
    SemDesfecho,
    /// O servidor está fechando.
    Encerramento,
}

impl fmt::Display for Fim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fim::Cliente => "fim",
            Fim::Reset => "reset",
            Fim::Sumiu => "sumiu",
            Fim::Sair => "sair",
            Fim::LinhaLonga => "linha longa",
            Fim::OutroProtocolo => "outro protocolo",
            Fim::Lotado => "lotado",
            Fim::LotadoParaOIp => "lotado para o IP",
            Fim::Ocioso => "ocioso",
            Fim::LinhaIncompleta => "linha incompleta",
            Fim::NaoLe => "sem leitura",
            Fim::MemoriaCheia => "memoria cheia",
            Fim::SemDesfecho => "sem desfecho",
            Fim::Encerramento => "encerramento",
        })
    }
}

impl Fim {
    /// Todos, na ordem.
    pub const TODOS: [Fim; 14] = [
        Fim::Cliente,
        Fim::Reset,
        Fim::Sumiu,
        Fim::Sair,
        Fim::LinhaLonga,
        Fim::OutroProtocolo,
        Fim::Lotado,
        Fim::LotadoParaOIp,
        Fim::Ocioso,
        Fim::LinhaIncompleta,
        Fim::NaoLe,
        Fim::MemoriaCheia,
        Fim::SemDesfecho,
        Fim::Encerramento,
    ];

    /// A conexão nem chegou a ser atendida?
    pub fn recusada(self) -> bool {
        matches!(self, Fim::Lotado | Fim::LotadoParaOIp)
    }

    /// O fim que este pedido traz, se é dos que o trazem ([`Comando::e_o_ultimo`]).
    pub fn depois_de(pedido: &Comando) -> Option<Self> {
        pedido.e_o_ultimo().then_some(match pedido {
            Comando::Sair => Fim::Sair,
            Comando::LinhaLonga => Fim::LinhaLonga,
            _ => Fim::OutroProtocolo,
        })
    }

    /// O que o cliente ouve antes de a conexão fechar, se não pediu o fim nem teve outra resposta que o
    /// explicasse, e se ainda pode ouvir.
    pub(super) fn ultima_palavra(self) -> Option<Resposta> {
        match self {
            Fim::Encerramento => Some(Resposta::Encerrando),
            Fim::Ocioso => Some(Resposta::Ocioso),
            Fim::Cliente | Fim::Sair | Fim::LinhaLonga | Fim::OutroProtocolo => None,
            Fim::Lotado | Fim::LotadoParaOIp => None,
            Fim::Reset | Fim::Sumiu | Fim::LinhaIncompleta => None,
            Fim::NaoLe | Fim::MemoriaCheia | Fim::SemDesfecho => None,
        }
    }
}
