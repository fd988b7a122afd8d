//! A quinta regra: o AVISO, uma vez a cada conexão que estava aberta no esgotamento. O porquê dela está em
//! [`crate::auditoria`].

use std::time::Duration;

use super::leituras::{leitura_do_aviso, leituras_dos_avisos, ultima_venda};
use super::motivos::SemAviso;
use super::regra::{ESPERA_DO_AVISO, Regra, TOLERANCIA_DO_AVISO};
use super::violacao::{Leitura, Origem, Violacao};
use crate::historia::vivido::{Conexao, Historia};
use crate::tempo::formatar;

/// Regra 4, vista pelo AVISO: quem o ouviu com o que vender não diz que uma unidade sumiu, e sim que ele
/// saiu antes da hora.
pub(super) fn aviso_com_o_que_vender(sumida: Violacao) -> Violacao {
    let provas = sumida.provas.into_iter().take(1).collect();
    Violacao { regra: Regra::AvisoAdiantado, provas, ..sumida }
}

/// Regra 5.
pub(super) fn avisos(
    historias: &[Historia],
    leituras: &[Leitura],
    esgotamento: Option<&Esgotamento>,
    violacoes: &mut Vec<Violacao>,
) {
    // Quem viu, por último, que ainda havia: um AVISO que chegou antes de ele pedir mentiu.
    let havia = leituras.iter().filter(|l| l.antes() > 0).max_by_key(|l| l.inicio);
    let limite = esgotamento.map(|esgotamento| esgotamento.limite(historias));
    for historia in historias {
        let usuario = historia.usuario;
        for conexao in &historia.conexoes {
            violacoes.extend(aviso_repetido(usuario, conexao));
            violacoes.extend(havia.and_then(|havia| aviso_adiantado(usuario, conexao, havia)));
            let Some((esgotamento, limite)) = esgotamento.zip(limite) else { continue };
            violacoes.extend(esgotamento.a_quem_chegou_depois(usuario, conexao));
            violacoes.extend(esgotamento.aviso_perdido(usuario, conexao, limite));
        }
    }
    violacoes.extend(esgotamento.and_then(|esgotamento| esgotamento.aviso_atrasado(historias)));
}

fn aviso_repetido(usuario: usize, conexao: &Conexao) -> Option<Violacao> {
    let [primeiro, segundo, ..] = conexao.avisos[..] else { return None };
    Some(Violacao {
        regra: Regra::AvisoRepetido,
        quando: segundo,
        provas: [primeiro, segundo].map(|aviso| leitura_do_aviso(usuario, aviso)).into(),
    })
}

fn aviso_adiantado(usuario: usize, conexao: &Conexao, havia: &Leitura) -> Option<Violacao> {
    let aviso = *conexao.avisos.first()?;
    (aviso < havia.inicio).then(|| Violacao {
        regra: Regra::AvisoAdiantado,
        quando: havia.fim,
        provas: vec![leitura_do_aviso(usuario, aviso), *havia],
    })
}

/// Quando o estoque chegou a zero: depois de um instante, se se sabe, e antes do fim de uma leitura.
pub(super) struct Esgotamento {
    /// A última venda; ou, se a multidão não a viu (de outro comprador, ou de um pedido sem resposta), a
    /// primeira leitura de zero a terminar.
    pub(super) ate: Leitura,
    /// Ainda havia o que vender. Sem ninguém que tenha visto uma unidade, pode nem ter havido
    /// esgotamento: o estoque já estava vazio.
    pub(super) depois_de: Option<Duration>,
}

impl Esgotamento {
    pub(super) fn de(leituras: &[Leitura]) -> Option<Self> {
        let primeiro_zero = || leituras.iter().filter(|l| l.valor == 0).min_by_key(|l| l.fim);
        let ate = *ultima_venda(leituras).or_else(primeiro_zero)?;
        let ultima = || leituras.iter().filter(|l| l.valor > 0).map(|l| l.inicio).max();
        let depois_de = match ate.origem {
            Origem::Venda => Some(ate.inicio),
            _ => ultima().map(|ultima| ultima.min(ate.fim)),
        };
        Some(Esgotamento { ate, depois_de })
    }

    /// O servidor certamente conhecia esta conexão (ela já tinha ouvido uma resposta) antes do
    /// esgotamento: o AVISO é devido a ela, se ela ficou para ouvi-lo.
    fn deve_a(&self, conexao: &Conexao) -> bool {
        let Some(depois_de) = self.depois_de else { return false };
        conexao.respondida.is_some_and(|quando| quando < depois_de)
    }

    /// Quando cada conexão a que ele é devido o ouviu, se ouviu.
    fn chegadas<'a>(
        &'a self,
        historias: &'a [Historia],
    ) -> impl Iterator<Item = (usize, Duration)> {
        historias.iter().flat_map(|historia| {
            let devidas = historia.conexoes.iter().filter(|conexao| self.deve_a(conexao));
            devidas.filter_map(|p| Some((historia.usuario, *p.avisos.first()?)))
        })
    }

    /// Quem ficou até depois deste instante, e nada ouviu, perdeu o AVISO. Se a alguém ele demorou a
    /// chegar, o dos outros também podia estar a caminho; mas não para sempre.
    fn limite(&self, historias: &[Historia]) -> Duration {
        let demorou = |quando: &&Duration| **quando > self.ate.fim + TOLERANCIA_DO_AVISO;
        // Também a quem ele não era devido, por não se saber se o servidor já o conhecia: ouviu-o, e tarde.
        let presentes = historias.iter().flat_map(|historia| &historia.conexoes);
        let presentes = presentes.filter(|conexao| conexao.pediu <= self.ate.fim);
        let demora = presentes.filter_map(|p| p.avisos.first()).any(|quando| demorou(&quando));
        self.ate.fim + if demora { ESPERA_DO_AVISO } else { TOLERANCIA_DO_AVISO }
    }

    /// Se o primeiro a chegar já passou da tolerância, é o servidor que demorou. Se só outros passaram,
    /// podem ser as milhares de threads da multidão a disputar o processador: isso só se observa, a não
    /// ser que passem também da espera.
    fn aviso_atrasado(&self, historias: &[Historia]) -> Option<Violacao> {
        let depois = |(_, chegou): (usize, Duration)| chegou.saturating_sub(self.ate.fim);
        let avisos = leituras_dos_avisos(historias).map(|aviso| (aviso.usuario, aviso.fim));
        let primeira = avisos.min_by_key(|(_, quando)| *quando)?;
        let ultima = self.chegadas(historias).max_by_key(|(_, quando)| *quando)?;
        let (usuario, chegou) = match () {
            () if depois(primeira) > TOLERANCIA_DO_AVISO => primeira,
            () if depois(ultima) > ESPERA_DO_AVISO => ultima,
            () => return None,
        };
        let depois = depois((usuario, chegou));
        Some(Violacao {
            regra: Regra::AvisoAtrasado { depois },
            quando: chegou,
            provas: vec![leitura_do_aviso(usuario, chegou), self.ate],
        })
    }

    pub(super) fn espalhou_devagar(&self, historias: &[Historia]) -> Option<String> {
        let ultima = self.chegadas(historias).map(|(_, quando)| quando).max()?;
        let demorou = ultima.saturating_sub(self.ate.fim);
        (demorou > TOLERANCIA_DO_AVISO && self.aviso_atrasado(historias).is_none())
            .then(|| format!("o AVISO levou {} para chegar a todos", formatar(demorou)))
    }

    /// Quem pediu a conexão enquanto o AVISO saía pode tê-lo pego; quem a pediu bem depois, não.
    fn a_quem_chegou_depois(&self, usuario: usize, conexao: &Conexao) -> Option<Violacao> {
        let aviso = conexao.avisos.first()?;
        (conexao.pediu > self.ate.fim + TOLERANCIA_DO_AVISO).then(|| Violacao {
            regra: Regra::AvisoAQuemChegouDepois,
            quando: *aviso,
            provas: vec![leitura_do_aviso(usuario, *aviso), self.ate],
        })
    }

    /// Quem o merecia e ficou conectado tempo de sobra devia ter ouvido.
    fn aviso_perdido(
        &self,
        usuario: usize,
        conexao: &Conexao,
        limite: Duration,
    ) -> Option<Violacao> {
        let ficou = conexao.fechou.is_none_or(|fechou| fechou > limite);
        (self.deve_a(conexao) && ficou && conexao.avisos.is_empty() && !self.duvidoso(conexao))
            .then(|| {
                let (inicio, fim) = (conexao.conectou, conexao.fechou.unwrap_or(limite));
                let calado = Leitura { usuario, inicio, fim, origem: Origem::Silencio, valor: 0 };
                Violacao {
                    regra: Regra::AvisoPerdido,
                    quando: limite,
                    provas: vec![calado, self.ate],
                }
            })
    }

    /// Ouviu algo na hora certa, em palavras que não se reconhecem: na dúvida, vale.
    fn duvidoso(&self, conexao: &Conexao) -> bool {
        let depois_de = self.depois_de.unwrap_or_default();
        conexao.outros_avisos.iter().any(|aviso| *aviso >= depois_de)
    }
}

/// Quantas conexões ouviram o AVISO; ou por que não se pode dizer nada dele, se ninguém o ouviu.
pub(super) fn ouvintes(
    historias: &[Historia],
    leituras: &[Leitura],
    esgotamento: Option<&Esgotamento>,
) -> Result<usize, SemAviso> {
    let conexoes = || historias.iter().flat_map(|historia| &historia.conexoes);
    let ouviram = conexoes().filter(|conexao| !conexao.avisos.is_empty()).count();
    if ouviram > 0 {
        return Ok(ouviram);
    }
    let Some(esgotamento) = esgotamento else {
        let leu = leituras.iter().any(|l| matches!(l.origem, Origem::Consulta | Origem::Venda));
        return Err(if leu { SemAviso::NaoEsgotou } else { SemAviso::EstoqueNaoVisto });
    };
    Err(match () {
        () if conexoes().any(|conexao| esgotamento.duvidoso(conexao)) => SemAviso::OutrasPalavras,
        () if esgotamento.depois_de.is_none() => SemAviso::JaEsgotado,
        () => SemAviso::NinguemFicou,
    })
}
