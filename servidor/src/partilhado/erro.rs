//! Por que um servidor não pode vender de um estoque repartido, em uma linha que diz o que fazer.

use std::io;

use protocolo::terminal::explicar;

use super::etcd::SemResposta;
use super::gateway::Gateway;

/// Por que o estoque repartido não serve, ou deixou de servir.
#[derive(Debug, thiserror::Error)]
pub enum Erro {
    /// Nenhum etcd respondeu.
    #[error(
        "nenhum etcd responde em {urls} ({porque}); confira o endereço, e se a maioria deles está no ar"
    )]
    SemResposta {
        /// Onde se procurou.
        urls: String,
        /// O que disse o último.
        porque: String,
    },
    /// O etcd responde, e passou da quota dele.
    #[error(
        "o etcd em {0} ficou sem lugar (quota) e não aceita escritas; compacte-o, desfragmente-o e desarme o alarme (etcdctl compact, \
         defrag, alarm disarm)"
    )]
    SemLugar(String),
    /// Não é a URL de um etcd.
    #[error("'{0}' não é o endereço de um etcd; use um como http://127.0.0.1:2379")]
    Url(String),
    /// Uma chave não é nossa, ou foi mexida.
    #[error(
        "a chave {0} do etcd foi mexida, ou não é deste programa; veja-a com 'etcdctl get {0}'"
    )]
    Estragado(String),
    /// Ainda não há estoque.
    #[error("ainda não há estoque neste etcd; abra um servidor com ele")]
    SemEstoque,
    /// O estoque começou com outra quantidade.
    #[error(
        "o estoque começou com {inicial}, e não com {pedido}; abra sem --estoque, ou acrescente com --repor"
    )]
    OutroEstoque {
        /// O que se pediu.
        pedido: u64,
        /// O que há.
        inicial: u64,
    },
    /// Outro processo abriu com o mesmo nome.
    #[error(
        "outro servidor chamado {0} abriu; este parou de vender (cada um precisa de um --nome só seu)"
    )]
    Tomado(String),
    /// Responde outro cluster, ou um restaurado de uma cópia.
    #[error(
        "o etcd não é o que guardava este estoque (outro, ou restaurado de uma cópia): as vendas de depois da cópia \
         seriam vendidas outra vez; comece um estoque novo, com o que sobrou, em um etcd vazio"
    )]
    OutroCluster,
    /// A revisão voltou atrás.
    #[error(
        "o etcd voltou atrás: perdeu vendas que já tinha confirmado; não venda antes de saber por quê"
    )]
    Voltou,
    /// Mais unidades do que se conta.
    #[error("não se contam tantas unidades; peça menos")]
    NaoCabe,
    /// O sistema não deu uma thread.
    #[error("não posso falar com o etcd: {}", explicar(.0))]
    Sistema(#[from] io::Error),
}

impl Erro {
    /// Perguntou-se, e não há resposta.
    pub(super) fn sem_resposta(gateway: &Gateway, porque: &SemResposta) -> Self {
        let urls = gateway.urls();
        match porque {
            SemResposta::SemLugar => Erro::SemLugar(urls),
            _ => Erro::SemResposta { urls, porque: porque.to_string() },
        }
    }
}
