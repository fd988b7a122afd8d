//! A quinta regra: o AVISO, uma vez a cada conexão que estava aberta no esgotamento. O porquê dela está em
//! [`crate::auditoria`].

use std::time::Duration;

use super::leituras::{leitura_do_aviso, ultima_venda};
use super::motivos::SemAviso;
use super::regra::{ESPERA_DO_AVISO, Regra, TOLERANCIA_DE_OUTRO_SERVIDOR, TOLERANCIA_DO_AVISO};
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
    let demora = esgotamento.is_some_and(|esgotamento| esgotamento.demora(historias));
    for historia in historias {
        let usuario = historia.usuario;
        for conexao in &historia.conexoes {
            violacoes.extend(aviso_repetido(usuario, conexao));
            violacoes.extend(havia.and_then(|havia| aviso_adiantado(usuario, conexao, havia)));
            let Some(esgotamento) = esgotamento else { continue };
            violacoes.extend(esgotamento.a_quem_chegou_depois(usuario, conexao));
            let limite = esgotamento.limite(conexao, demora);
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
    /// Que servidor vendeu a última unidade, se se sabe. Os outros só o sabem depois, por quem guarda o estoque.
    vendeu: Option<usize>,
}

impl Esgotamento {
    pub(super) fn de(leituras: &[Leitura], historias: &[Historia]) -> Option<Self> {
        let primeiro_zero = || leituras.iter().filter(|l| l.valor == 0).min_by_key(|l| l.fim);
        let ate = *ultima_venda(leituras).or_else(primeiro_zero)?;
        let ultima = || leituras.iter().filter(|l| l.valor > 0).map(|l| l.inicio).max();
        let depois_de = match ate.origem {
            Origem::Venda => Some(ate.inicio),
            _ => ultima().map(|ultima| ultima.min(ate.fim)),
        };
        Some(Esgotamento { ate, depois_de, vendeu: quem_vendeu(&ate, historias) })
    }

    /// Quanto o AVISO pode demorar a chegar a esta conexão: a de outro servidor, mais.
    fn tolerancia(&self, conexao: &Conexao) -> Duration {
        let deste = self.vendeu == Some(conexao.servidor);
        if deste { TOLERANCIA_DO_AVISO } else { TOLERANCIA_DE_OUTRO_SERVIDOR }
    }

    /// Quando alguém já conectou tarde demais para o AVISO, seja de que servidor for.
    pub(super) fn tarde_demais(&self) -> Duration {
        self.ate.fim + self.tolerancia(&Conexao::default())
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

    /// A alguém o AVISO demorou a chegar?
    fn demora(&self, historias: &[Historia]) -> bool {
        // Também a quem ele não era devido, por não se saber se o servidor já o conhecia: ouviu-o, e tarde.
        let presentes = historias.iter().flat_map(|historia| &historia.conexoes);
        let mut presentes = presentes.filter(|conexao| conexao.pediu <= self.ate.fim);
        presentes.any(|conexao| {
            let limite = self.ate.fim + self.tolerancia(conexao);
            conexao.avisos.first().is_some_and(|quando| *quando > limite)
        })
    }

    /// Quem ficou até depois deste instante, e nada ouviu, perdeu o AVISO. Se a alguém ele demorou a
    /// chegar, o dos outros também podia estar a caminho; mas não para sempre.
    fn limite(&self, conexao: &Conexao, demora: bool) -> Duration {
        let tolerancia = self.tolerancia(conexao);
        self.ate.fim + if demora { tolerancia.max(ESPERA_DO_AVISO) } else { tolerancia }
    }

    /// Se o primeiro a chegar já passou da tolerância, é o servidor que demorou. Se só outros passaram,
    /// podem ser as milhares de threads da multidão a disputar o processador: isso só se observa, a não
    /// ser que passem também da espera.
    fn aviso_atrasado(&self, historias: &[Historia]) -> Option<Violacao> {
        let depois = |(_, chegou): (usize, Duration)| chegou.saturating_sub(self.ate.fim);
        // De quem vendeu a última; se não se sabe quem foi, de todos, com a tolerância dos outros.
        let avisos = historias.iter().flat_map(|historia| {
            let dele = |p: &&Conexao| self.vendeu.is_none_or(|servidor| servidor == p.servidor);
            let conexoes = historia.conexoes.iter().filter(dele);
            conexoes.flat_map(|p| p.avisos.iter().map(|aviso| (historia.usuario, *aviso)))
        });
        let primeira = avisos.min_by_key(|(_, quando)| *quando);
        let tolerancia = self.tolerancia(&Conexao {
            servidor: self.vendeu.unwrap_or_default(),
            ..Conexao::default()
        });
        let ultima = self.chegadas(historias).max_by_key(|(_, quando)| *quando)?;
        let (usuario, chegou) = match primeira {
            Some(primeira) if depois(primeira) > tolerancia => primeira,
            _ if depois(ultima) > ESPERA_DO_AVISO.max(self.a_maior_tolerancia(historias)) => ultima,
            _ => return None,
        };
        let depois = depois((usuario, chegou));
        Some(Violacao {
            regra: Regra::AvisoAtrasado { depois },
            quando: chegou,
            provas: vec![leitura_do_aviso(usuario, chegou), self.ate],
        })
    }

    fn a_maior_tolerancia(&self, historias: &[Historia]) -> Duration {
        let conexoes = historias.iter().flat_map(|historia| &historia.conexoes);
        conexoes.map(|conexao| self.tolerancia(conexao)).max().unwrap_or_default()
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
        (conexao.pediu > self.ate.fim + self.tolerancia(conexao)).then(|| Violacao {
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

/// O servidor da última venda, se foi ela que se viu; com um só, foi ele.
fn quem_vendeu(ate: &Leitura, historias: &[Historia]) -> Option<usize> {
    let conexoes = || historias.iter().flat_map(|historia| &historia.conexoes);
    if conexoes().all(|conexao| conexao.servidor == 0) {
        return Some(0);
    }
    let dela = |historia: &&Historia| historia.usuario == ate.usuario;
    let operacoes = historias.iter().filter(dela).flat_map(|historia| &historia.operacoes);
    let mut vendas = operacoes
        .filter(|o| o.resposta.as_ref().is_some_and(|(fim, d)| *fim == ate.fim && d.vendeu()));
    vendas.next().map(|venda| venda.servidor)
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
