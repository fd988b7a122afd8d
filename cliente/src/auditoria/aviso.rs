//! A quinta regra: o AVISO, uma vez a cada conexão que estava aberta no esgotamento. O porquê dela está em
//! [`crate::auditoria`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::leituras::{leitura_do_aviso, leituras_dos_avisos, ultima_venda};
use super::motivos::SemAviso;
use super::regra::{ESPERA_DO_AVISO, Regra, TOLERANCIA_DO_AVISO, TOLERANCIA_ENTRE_SERVIDORES};
use super::violacao::{Leitura, Origem, Violacao};
use crate::historia::vivido::{Conexao, Historia, Operacao, Qual};
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
    // Quem viu, por último, que ainda havia: um AVISO que chegou antes de ele pedir mentiu, onde quer que fosse.
    let havia = leituras.iter().filter(|l| l.antes() > 0).max_by_key(|l| l.inicio);
    let limites = esgotamento.map(|esgotamento| esgotamento.limites(historias));
    for historia in historias {
        let usuario = historia.usuario;
        for conexao in &historia.conexoes {
            violacoes.extend(aviso_repetido(usuario, conexao));
            violacoes.extend(havia.and_then(|havia| aviso_adiantado(usuario, conexao, havia)));
            let Some((esgotamento, limites)) = esgotamento.zip(limites.as_ref()) else { continue };
            violacoes.extend(esgotamento.a_quem_chegou_depois(usuario, conexao));
            let limite = limites.get(&conexao.servidor);
            violacoes.extend(limite.and_then(|l| esgotamento.aviso_perdido(usuario, conexao, *l)));
        }
    }
    violacoes.extend(esgotamento.into_iter().flat_map(|e| e.avisos_atrasados(historias)));
}

fn aviso_repetido(usuario: usize, conexao: &Conexao) -> Option<Violacao> {
    let [primeiro, segundo, ..] = conexao.avisos[..] else { return None };
    Some(Violacao {
        regra: Regra::AvisoRepetido,
        quando: segundo,
        provas: [primeiro, segundo]
            .map(|aviso| leitura_do_aviso(usuario, conexao.servidor, aviso))
            .into(),
    })
}

fn aviso_adiantado(usuario: usize, conexao: &Conexao, havia: &Leitura) -> Option<Violacao> {
    let aviso = *conexao.avisos.first()?;
    (aviso < havia.inicio).then(|| Violacao {
        regra: Regra::AvisoAdiantado,
        quando: havia.fim,
        provas: vec![leitura_do_aviso(usuario, conexao.servidor, aviso), *havia],
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
    /// A última venda se soube por quem a fez? A de um pedido que se insistiu pode ter sido feita por outro servidor.
    por_quem_vendeu: bool,
    /// Quando cada servidor respondeu pela primeira vez que o estoque é zero.
    zeros: BTreeMap<Qual, Duration>,
    /// Quando chegou o primeiro AVISO de cada servidor.
    avisos: BTreeMap<Qual, Duration>,
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
        let zeros = leituras.iter().filter(|l| l.valor == 0 && l.origem != Origem::Aviso).copied();
        let (zeros, avisos) = (primeiras(zeros), primeiras(leituras_dos_avisos(historias)));
        let dela = |o: &&Operacao| o.enviada == ate.inicio && o.compra;
        let insistida = historias
            .iter()
            .filter(|historia| historia.usuario == ate.usuario)
            .filter_map(|historia| historia.operacoes.iter().find(dela)?.pedido.as_ref())
            .any(|pedido| pedido.perguntas > 1);
        let por_quem_vendeu = ate.origem == Origem::Venda && !insistida;
        Some(Esgotamento { ate, depois_de, por_quem_vendeu, zeros, avisos })
    }

    /// Desde quando se sabe que este servidor já sabia do esgotamento: o que vendeu a última unidade, ou o primeiro em
    /// que se viu zero, desde então; outro, desde que respondeu que acabou. `None` se não se viu: a notícia pode não
    /// ter chegado a ele, e ninguém é acusado de calar o que não sabe.
    fn respondeu(&self, servidor: Qual) -> Option<Duration> {
        if servidor == self.ate.servidor {
            return Some(self.ate.fim);
        }
        self.zeros.get(&servidor).map(|quando| self.ate.fim.max(*quando))
    }

    /// O mesmo, também pelo AVISO: quem avisou alguém já sabia.
    pub(super) fn soube(&self, servidor: Qual) -> Option<Duration> {
        let avisou = self.avisos.get(&servidor).map(|quando| self.ate.fim.max(*quando));
        self.respondeu(servidor).into_iter().chain(avisou).min()
    }

    /// Quanto o AVISO deste servidor pode demorar. Um só, ou o que vendeu a última unidade, não espera por ninguém.
    pub(super) fn tolerancia(&self, servidor: Qual) -> Duration {
        let vendeu = servidor == self.ate.servidor && self.por_quem_vendeu;
        match servidor.numero() {
            Some(_) if !vendeu => TOLERANCIA_ENTRE_SERVIDORES,
            _ => TOLERANCIA_DO_AVISO,
        }
    }

    /// O servidor certamente conhecia esta conexão (ela já tinha ouvido uma resposta) antes do
    /// esgotamento: o AVISO é devido a ela, se ela ficou para ouvi-lo.
    fn deve_a(&self, conexao: &Conexao) -> bool {
        let Some(depois_de) = self.depois_de else { return false };
        conexao.respondida.is_some_and(|quando| quando < depois_de)
    }

    /// Quando cada conexão a que ele é devido o ouviu, se ouviu, e de qual servidor.
    fn chegadas<'a>(&'a self, historias: &'a [Historia]) -> impl Iterator<Item = Leitura> {
        historias.iter().flat_map(|historia| {
            let devidas = historia.conexoes.iter().filter(|conexao| self.deve_a(conexao));
            devidas.filter_map(|p| {
                Some(leitura_do_aviso(historia.usuario, p.servidor, *p.avisos.first()?))
            })
        })
    }

    /// Até quando cada servidor deve o AVISO, dos que se sabe que sabiam. Quem ficou até depois deste instante, e nada
    /// ouviu, o perdeu. Se a alguém ele demorou a chegar, o dos outros também podia estar a caminho; mas não para
    /// sempre.
    fn limites(&self, historias: &[Historia]) -> BTreeMap<Qual, Duration> {
        let conexoes = || historias.iter().flat_map(|historia| &historia.conexoes);
        let servidores: BTreeSet<Qual> = conexoes().map(|conexao| conexao.servidor).collect();
        let limite = |servidor| {
            let soube = self.soube(servidor)?;
            let no_prazo = soube + self.tolerancia(servidor);
            // Também a quem ele não era devido, por não se saber se o servidor já o conhecia: ouviu-o, e tarde.
            let presentes = conexoes().filter(|p| p.servidor == servidor && p.pediu <= soube);
            let demora =
                presentes.filter_map(|p| p.avisos.first()).any(|quando| *quando > no_prazo);
            Some((servidor, if demora { soube + ESPERA_DO_AVISO } else { no_prazo }))
        };
        servidores.into_iter().filter_map(limite).collect()
    }

    /// De cada servidor: se o primeiro a chegar já passou da tolerância, é ele que demorou. Se só outros passaram,
    /// podem ser as milhares de threads da multidão a disputar o processador: isso só se observa, a não
    /// ser que passem também da espera.
    fn avisos_atrasados(&self, historias: &[Historia]) -> Vec<Violacao> {
        let mut primeiras = BTreeMap::new();
        for aviso in leituras_dos_avisos(historias) {
            let primeira = primeiras.entry(aviso.servidor).or_insert(aviso);
            if aviso.fim < primeira.fim {
                *primeira = aviso;
            }
        }
        let mut ultimas = BTreeMap::new();
        for aviso in self.chegadas(historias) {
            let ultima = ultimas.entry(aviso.servidor).or_insert(aviso);
            if aviso.fim >= ultima.fim {
                *ultima = aviso;
            }
        }
        let pares = primeiras
            .into_iter()
            .filter_map(|(servidor, primeira)| Some((primeira, ultimas.get(&servidor).copied()?)));
        pares.filter_map(|(primeira, ultima)| self.aviso_atrasado(primeira, ultima)).collect()
    }

    /// Com o primeiro e o último AVISO de um servidor.
    fn aviso_atrasado(&self, primeira: Leitura, ultima: Leitura) -> Option<Violacao> {
        let servidor = primeira.servidor;
        let passou = |aviso: Leitura, desde: Option<Duration>, prazo| {
            let depois = aviso.fim.saturating_sub(desde?);
            (depois > prazo).then_some((aviso, depois))
        };
        // O primeiro AVISO não pode ser a prova de que o servidor já sabia.
        let (aviso, depois) = passou(primeira, self.respondeu(servidor), self.tolerancia(servidor))
            .or_else(|| passou(ultima, self.soube(servidor), ESPERA_DO_AVISO))?;
        Some(Violacao {
            regra: Regra::AvisoAtrasado { depois },
            quando: aviso.fim,
            provas: vec![aviso, self.ate],
        })
    }

    pub(super) fn espalhou_devagar(&self, historias: &[Historia]) -> Option<String> {
        let ultima = self.chegadas(historias).map(|aviso| aviso.fim).max()?;
        let demorou = ultima.saturating_sub(self.ate.fim);
        (demorou > TOLERANCIA_DO_AVISO && self.avisos_atrasados(historias).is_empty())
            .then(|| format!("o AVISO levou {} para chegar a todos", formatar(demorou)))
    }

    /// Os servidores de que não se viu que soubessem do esgotamento, e em que quem merecia o AVISO ficou para ouvi-lo.
    pub(super) fn servidores_calados(&self, historias: &[Historia]) -> Vec<String> {
        let ficou = |fechou: Duration| fechou > self.ate.fim + TOLERANCIA_ENTRE_SERVIDORES;
        let conexoes = historias.iter().flat_map(|historia| &historia.conexoes);
        let calados: BTreeSet<Qual> = conexoes
            .filter(|p| self.deve_a(p) && p.fechou.is_none_or(ficou))
            .map(|conexao| conexao.servidor)
            .filter(|servidor| self.soube(*servidor).is_none())
            .collect();
        let frase = |servidor| {
            format!(
                "do AVISO{servidor} nada se afirma: ninguém o ouviu dele, nem se viu que ele soubesse do \
                 esgotamento"
            )
        };
        calados.into_iter().map(frase).collect()
    }

    /// Quem pediu a conexão enquanto o AVISO saía pode tê-lo pego; quem a pediu bem depois, não.
    fn a_quem_chegou_depois(&self, usuario: usize, conexao: &Conexao) -> Option<Violacao> {
        let (aviso, servidor) = (*conexao.avisos.first()?, conexao.servidor);
        let depois = self.soube(servidor)? + self.tolerancia(servidor);
        (conexao.pediu > depois).then(|| Violacao {
            regra: Regra::AvisoAQuemChegouDepois,
            quando: aviso,
            provas: vec![
                Leitura { inicio: conexao.conectou, ..leitura_do_aviso(usuario, servidor, aviso) },
                self.ate,
            ],
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
                let (servidor, origem) = (conexao.servidor, Origem::Silencio);
                let calado = Leitura { usuario, servidor, inicio, fim, origem, valor: 0 };
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

/// Quando terminou a primeira leitura por cada servidor.
fn primeiras(leituras: impl Iterator<Item = Leitura>) -> BTreeMap<Qual, Duration> {
    let mut primeiras = BTreeMap::new();
    for leitura in leituras {
        let primeira = primeiras.entry(leitura.servidor).or_insert(leitura.fim);
        *primeira = leitura.fim.min(*primeira);
    }
    primeiras
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
    Err(if conexoes().any(|conexao| esgotamento.duvidoso(conexao)) {
        SemAviso::OutrasPalavras
    } else if esgotamento.depois_de.is_none() {
        SemAviso::JaEsgotado
    } else {
        SemAviso::NinguemFicou
    })
}
