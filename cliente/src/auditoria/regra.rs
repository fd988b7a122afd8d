//! O que um servidor certo nunca viola, e de que veredito é cada regra. O porquê de cada uma está em
//! [`crate::auditoria`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Até quanto depois do esgotamento o AVISO chega "quase instantaneamente" (§7.3), para a multidão e
/// para o avaliador. É folgado de propósito: ele leva milissegundos, e uma acusação falsa é pior que um
/// atraso.
pub const TOLERANCIA_DO_AVISO: Duration = Duration::from_secs(1);

/// O mesmo, nos servidores que vendem o estoque com outros e não venderam a última unidade, a contar de quando se
/// viu que cada um já sabia do esgotamento: a notícia vem de fora, e quem a traz pode estar se refazendo de uma falha.
/// Cabe em [`ESPERA_DO_AVISO`], que é o que a multidão fica.
pub const TOLERANCIA_ENTRE_SERVIDORES: Duration = Duration::from_secs(2);

/// Quanto se fica à espera dele depois do esgotamento, para saber se faltou ou só atrasou.
pub const ESPERA_DO_AVISO: Duration = Duration::from_secs(3);

/// O veredito sobre o AVISO (§7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aviso {
    /// Chegou uma vez a cada um, na hora.
    Certo,
    /// Chegou com unidades por vender.
    Adiantado,
    /// Demorou a chegar.
    Atrasado,
    /// Chegou mais de uma vez à mesma conexão.
    Repetido,
    /// Chegou também a quem conectou depois do esgotamento.
    AQuemChegouDepois,
    /// Não chegou a quem devia.
    Faltou,
    /// Nada se viu por que julgar.
    NaoJulgado,
}

impl Aviso {
    /// Em palavras, para pessoas.
    pub fn palavras(self) -> &'static str {
        match self {
            Aviso::Certo => "certo",
            Aviso::Adiantado => "adiantado",
            Aviso::Atrasado => "atrasado",
            Aviso::Repetido => "repetido",
            Aviso::AQuemChegouDepois => "também a quem chegou depois",
            Aviso::Faltou => "faltou",
            Aviso::NaoJulgado => "não julgado",
        }
    }

    /// Há algo de errado com ele?
    pub fn errado(self) -> bool {
        !matches!(self, Aviso::Certo | Aviso::NaoJulgado)
    }
}

/// O que um servidor certo nunca viola. As regras e o porquê delas estão em [`crate::auditoria`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regra {
    /// O contador desceu abaixo de zero.
    EstoqueNegativo,
    /// Uma unidade teve dois compradores.
    VendaRepetida,
    /// Alguém viu mais do que outro já tinha visto antes.
    EstoqueSubiu,
    /// O que alguém viu não cabe no que o livro do servidor diz que entrou no estoque, e quando.
    ForaDoLivro,
    /// Alguém viu mais do que havia ao abrir.
    AcimaDoInicial {
        /// Com quanto o servidor abriu.
        inicial: i128,
    },
    /// Houve mais vendas do que unidades; algumas não disseram quanto restou.
    VendeuDemais {
        /// Com quanto o servidor abriu.
        inicial: i128,
        /// Quantas vendas houve.
        vendas: i128,
    },
    /// O contador desceu sem que alguém comprasse.
    UnidadeSumiu {
        /// O que restaria depois da venda que não houve.
        restaria: i128,
        /// Quantas unidades ficaram assim, contando esta.
        quantas: i128,
    },
    /// Alguém ouviu que esgotou, e havia o que vender.
    RecusaIndevida {
        /// O que restaria depois da venda que não houve.
        restaria: i128,
        /// Quantas unidades ficaram assim, contando esta.
        quantas: i128,
    },
    /// Um pedido numerado teve duas respostas diferentes.
    DuasRespostas {
        /// O número do pedido, entre os do usuário.
        numero: u32,
    },
    /// A mesma conexão recebeu dois AVISOs.
    AvisoRepetido,
    /// O AVISO chegou com unidades por vender.
    AvisoAdiantado,
    /// O primeiro AVISO demorou a chegar.
    AvisoAtrasado {
        /// Quanto depois do esgotamento.
        depois: Duration,
    },
    /// Recebeu o AVISO quem só conectou depois do esgotamento.
    AvisoAQuemChegouDepois,
    /// Não recebeu o AVISO quem estava conectado no esgotamento.
    AvisoPerdido,
}

impl Regra {
    /// O nome dela nos relatórios: estável, em minúsculas, com hífens.
    pub fn nome(self) -> &'static str {
        match self {
            Regra::EstoqueNegativo => "estoque-negativo",
            Regra::VendaRepetida => "venda-repetida",
            Regra::EstoqueSubiu => "estoque-subiu",
            Regra::ForaDoLivro => "fora-do-livro",
            Regra::AcimaDoInicial { .. } => "acima-do-inicial",
            Regra::VendeuDemais { .. } => "vendeu-demais",
            Regra::UnidadeSumiu { .. } => "unidade-sumiu",
            Regra::RecusaIndevida { .. } => "recusa-indevida",
            Regra::DuasRespostas { .. } => "duas-respostas",
            Regra::AvisoRepetido => "aviso-repetido",
            Regra::AvisoAdiantado => "aviso-adiantado",
            Regra::AvisoAtrasado { .. } => "aviso-atrasado",
            Regra::AvisoAQuemChegouDepois => "aviso-a-quem-chegou-depois",
            Regra::AvisoPerdido => "aviso-perdido",
        }
    }

    /// O que ela diz do AVISO; `None` se é sobre o estoque.
    pub(super) fn do_aviso(self) -> Option<Aviso> {
        match self {
            Regra::EstoqueNegativo
            | Regra::VendaRepetida
            | Regra::EstoqueSubiu
            | Regra::ForaDoLivro
            | Regra::AcimaDoInicial { .. }
            | Regra::VendeuDemais { .. }
            | Regra::UnidadeSumiu { .. }
            | Regra::RecusaIndevida { .. }
            | Regra::DuasRespostas { .. } => None,
            Regra::AvisoRepetido => Some(Aviso::Repetido),
            Regra::AvisoAdiantado => Some(Aviso::Adiantado),
            Regra::AvisoAtrasado { .. } => Some(Aviso::Atrasado),
            Regra::AvisoAQuemChegouDepois => Some(Aviso::AQuemChegouDepois),
            Regra::AvisoPerdido => Some(Aviso::Faltou),
        }
    }

    /// É sobre o estoque (§7.2)? Senão, é sobre o AVISO (§7.3).
    pub fn do_estoque(self) -> bool {
        self.do_aviso().is_none()
    }
}
