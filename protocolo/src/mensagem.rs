//! O que o servidor diz: [`Resposta`] em bytes, e de volta, como o cliente a ouve: [`Mensagem`].
//!
//! São dois tipos porque são dois papéis. Um servidor certo só diz o que está em [`Resposta`]; um
//! cliente que põe servidores à prova precisa saber ouvir também o que está errado: um estoque
//! negativo, um texto desconhecido. Cortar o fluxo em mensagens não é daqui.

use std::fmt;

use crate::numero::{self, Numero};

/// A mensagem que todos recebem quando a última unidade é vendida (§9), sem o fim de linha.
pub const AVISO: &str = "AVISO: O estoque acabou de esgotar!";

const ESTOQUE: &str = "Estoque atual:";
const COMPRA: &str = "Compra realizada. Estoque restante:";
const ESGOTADO: &str = "ERRO: Produto esgotado";
const LOTADO: &str = "ERRO: Servidor lotado";
const LOTADO_PARA_O_IP: &str = "ERRO: Servidor lotado para o seu IP";
const AJUDA: &str =
    "Comandos: CONSULTAR (estoque atual), COMPRAR (uma), PEDIDO id (uma vez por id), AJUDA, SAIR";
const DESCONHECIDO: &str =
    "ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR";
const OUTRO_PROTOCOLO: &str =
    "ERRO: Isto parece HTTP ou TLS. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR";
const PEDIDO_INVALIDO: &str =
    "ERRO: PEDIDO leva um identificador de 1 a 64 caracteres ASCII visiveis, sem espacos";
const PEDIDO_ANTIGO: &str = "ERRO: Pedido ja atendido, ha tempo demais para se saber como";
const ENCERRANDO: &str = "ERRO: Servidor encerrando";
const FORA_DE_ALCANCE: &str = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo";
const OCIOSO: &str = "ERRO: Tempo demais sem nenhum comando";

/// Uma resposta do servidor a um comando. `Display` dá o texto, sem o fim de linha.
///
/// Todos os textos são ASCII: aparecem certos em qualquer telnet, e no registro sem escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resposta {
    /// Resposta a CONSULTAR: unidades à venda.
    Estoque(u64),
    /// Resposta a COMPRAR e a PEDIDO: vendida, e quantas unidades sobraram.
    Compra {
        /// Unidades que sobraram depois desta venda.
        restante: u64,
    },
    /// Resposta a COMPRAR e a PEDIDO quando não há mais.
    Esgotado,
    /// Resposta a CONSULTAR ou COMPRAR quando quem guarda o estoque não responde.
    ForaDeAlcance,
    /// Resposta a AJUDA: os comandos, em uma linha.
    Ajuda,
    /// Resposta a SAIR.
    Despedida,
    /// Resposta a uma linha que não é comando algum.
    Desconhecido,
    /// Resposta a um PEDIDO repetido de que já não se sabe a resposta, só que a teve.
    PedidoAntigo,
    /// Resposta a um PEDIDO sem identificador, ou com um que não serve.
    PedidoInvalido,
    /// A linha passou do limite; a conexão fecha.
    LinhaLonga,
    /// Quem conectou fala HTTP ou TLS; a conexão fecha.
    OutroProtocolo,
    /// Não cabe mais ninguém; a conexão fecha.
    Lotado,
    /// Do IP de quem conectou já há conexões demais; a conexão fecha.
    LotadoParaOIp,
    /// O servidor está fechando: a última coisa que se ouve dele.
    Encerrando,
    /// Passou do tempo que se pode ficar calado; a conexão fecha.
    Ocioso,
}

impl Resposta {
    /// Acrescenta a resposta a `saida`, com o fim de linha; no máximo
    /// [`RESPOSTA_MAXIMA`](crate::RESPOSTA_MAXIMA) bytes.
    ///
    /// Diz o mesmo que `Display`, sem passar pelo formatador: com pedidos em fila, era ele o que mais
    /// custava em um comando.
    pub fn escrever(&self, saida: &mut Vec<u8>) {
        let (texto, numero) = self.partes();
        saida.extend_from_slice(texto.as_bytes());
        if let Some(numero) = numero {
            saida.push(b' ');
            escrever_numero(numero, saida);
        }
        saida.push(b'\n');
    }

    /// O texto, e o número que vem depois dele, se há um.
    fn partes(&self) -> (&'static str, Option<u64>) {
        match self {
            Resposta::Estoque(atual) => (ESTOQUE, Some(*atual)),
            Resposta::Compra { restante } => (COMPRA, Some(*restante)),
            Resposta::Esgotado => (ESGOTADO, None),
            Resposta::ForaDeAlcance => (FORA_DE_ALCANCE, None),
            Resposta::Ajuda => (AJUDA, None),
            Resposta::Despedida => ("Volte sempre!", None),
            Resposta::Desconhecido => (DESCONHECIDO, None),
            Resposta::PedidoAntigo => (PEDIDO_ANTIGO, None),
            Resposta::PedidoInvalido => (PEDIDO_INVALIDO, None),
            Resposta::LinhaLonga => ("ERRO: Linha longa demais", None),
            Resposta::OutroProtocolo => (OUTRO_PROTOCOLO, None),
            Resposta::Lotado => (LOTADO, None),
            Resposta::LotadoParaOIp => (LOTADO_PARA_O_IP, None),
            Resposta::Encerrando => (ENCERRANDO, None),
            Resposta::Ocioso => (OCIOSO, None),
        }
    }
}

/// Acrescenta os algarismos de um número.
pub fn escrever_numero(numero: u64, saida: &mut Vec<u8>) {
    saida.extend_from_slice(itoa::Buffer::new().format(numero).as_bytes());
}

impl fmt::Display for Resposta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (texto, numero) = self.partes();
        f.write_str(texto)?;
        numero.map_or(Ok(()), |numero| write!(f, " {numero}"))
    }
}

/// Uma mensagem como o cliente a ouviu, de um servidor em que não se confia.
///
/// Os números são `i128` porque um servidor errado pode dizer `-1`, e um certo, qualquer `u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mensagem {
    /// `Estoque atual: X`
    Estoque(i128),
    /// A frase é a do estoque, e o número admite mais de uma leitura. Guarda o texto.
    EstoqueSemNumero(String),
    /// `Compra realizada. Estoque restante: X`
    Compra {
        /// O que o servidor diz que sobrou.
        restante: i128,
    },
    /// A frase é a da compra, e o número falta ou admite mais de uma leitura. Guarda o texto.
    CompraSemNumero(String),
    /// `ERRO: Produto esgotado`
    Esgotado,
    /// `ERRO: Estoque fora de alcance. ...`: o pedido não valeu, nem valerá.
    ForaDeAlcance,
    /// `ERRO: Servidor lotado` ou `ERRO: Servidor lotado para o seu IP`
    Lotado,
    /// `ERRO: Servidor encerrando` ou `ERRO: Tempo demais sem nenhum comando`: a conexão vai fechar, e
    /// isto não responde a pedido nenhum.
    Fechamento(&'static str),
    /// `AVISO: ...`, com as palavras que vieram.
    Aviso(String),
    /// Qualquer outro texto, inclusive outros `ERRO: ...`.
    Outra(String),
}

impl Mensagem {
    /// É uma das respostas do enunciado a CONSULTAR ou a COMPRAR?
    pub fn e_resposta(&self) -> bool {
        matches!(self, Mensagem::Estoque(_) | Mensagem::Compra { .. } | Mensagem::Esgotado)
    }

    /// Interpreta o texto de uma mensagem, com ou sem fim de linha. Nunca falha: o que não se
    /// entende é [`Mensagem::Outra`].
    ///
    /// Entende também quem muda as letras e não o sentido (`estoque atual: 10`, `[14:05:09] Compra
    /// realizada! Estoque restante: **9**`); para saber se o texto veio letra por letra, compare-o com o
    /// que `Display` dá. O número é o que a frase põe ali ([`crate::numero`]); se há duas leituras
    /// possíveis, nenhuma vale.
    pub fn interpretar(texto: &[u8]) -> Self {
        Frase::achar(&texto_visto(texto)).mensagem
    }

    /// Onde terminam, em `texto`, os bytes da primeira mensagem, se outra vem colada a ela:
    /// `...restante: 0AVISO: ...` são duas. `None` se é uma só, ou se ainda não se sabe.
    ///
    /// Corta onde começa uma frase conhecida, se o que vem antes diz algo sozinho: `CONSULTAR: Estoque
    /// atual: 10` é uma mensagem só. A hora entre o número e o AVISO é do AVISO.
    pub fn fim_da_primeira(texto: &[u8]) -> Option<usize> {
        let letras = com_os_mesmos_indices(texto);
        let minusculo = letras.to_ascii_lowercase();
        let mut cortes: Vec<(usize, Comeco)> = Vec::new();
        for (frase, comeco) in COMECOS {
            let achadas = minusculo.match_indices(frase).map(|(onde, _)| onde);
            let vale = |onde: &usize| {
                *onde > 0 && (comeco != Comeco::Aviso || aviso_colado(&letras, *onde))
            };
            cortes.extend(achadas.filter(vale).map(|onde| (onde, comeco)));
        }
        cortes.sort_unstable_by_key(|(onde, _)| *onde);
        let corte = cortes.into_iter().find_map(|(onde, comeco)| {
            let antes = Frase::achar(letras[..onde].trim_matches(e_margem));
            // Um texto qualquer com o AVISO colado a ele, sem nem um espaço: são dois envios.
            let grudado =
                comeco == Comeco::Aviso && letras[..onde].ends_with(char::is_alphanumeric);
            let corta = grudado || antes.termina_antes_de(comeco);
            corta.then(|| antes.fim_junto_a(&letras, onde))
        });
        let corte = corte.or_else(|| {
            // Depois do AVISO do enunciado, sem fim de linha, o que vier já é outra mensagem.
            let depois = letras.trim_start_matches(e_margem).strip_prefix(AVISO)?;
            depois.contains(char::is_alphabetic).then_some(letras.len() - depois.len())
        });
        let corte = corte.or_else(|| {
            // A recusa do enunciado, e colado a ela um aviso em outras palavras. Se continua a frase, é dela.
            let depois = letras.trim_start_matches(e_margem).strip_prefix(ESGOTADO)?;
            let continua = depois.starts_with([' ', '.', ',', '!', ';', ':', '(']);
            (!continua && avisa_que_esgotou(depois)).then_some(letras.len() - depois.len())
        });
        corte.or_else(|| {
            // O AVISO em outras palavras não tem começo conhecido: vem logo depois do número.
            let frase = Frase::achar(letras.trim_start_matches(e_margem));
            let fim =
                letras.len() - letras.trim_start_matches(e_margem).len() + frase.fim_do_numero?;
            avisa_que_esgotou(&letras[fim..]).then_some(fim)
        })
    }

    /// O que um texto que não é das frases conhecidas quer dizer, como resposta a este pedido; `None` se
    /// admite mais de um sentido. `Comprado! Restam 9` é uma compra; `Operação inválida`, não se sabe.
    pub fn em_outras_palavras(compra: bool, texto: &str) -> Option<Self> {
        let minusculo = texto.to_lowercase();
        let tem = |palavras: &[&str]| palavras.iter().any(|palavra| minusculo.contains(palavra));
        if !compra {
            // Um número sozinho, ou com uma palavra que o explique: `Bem-vindo, cliente 7` não é o estoque.
            let explica = tem(&ESTOQUE_E) || !minusculo.contains(char::is_alphabetic);
            let numero = so_um_numero(&minusculo).filter(|_| explica && !tem(&NEGACOES))?;
            return Some(Mensagem::Estoque(numero));
        }
        if tem(&ESGOTOU) || (tem(&NEGACOES) && tem(&FALTA)) {
            return Some(Mensagem::Esgotado);
        }
        if tem(&NEGACOES) || !tem(&COMPROU) {
            return None;
        }
        let restante = RESTAM.iter().find_map(|rotulo| minusculo.split_once(rotulo));
        let restante = match restante.map(|(_, depois)| numero::ler(depois)) {
            Some(Numero::Certo { valor, .. }) => valor,
            Some(Numero::Incerto) => return None,
            Some(Numero::Ausente) | None => so_um_numero(&minusculo)?,
        };
        Some(Mensagem::Compra { restante })
    }
}

/// As frases que começam uma mensagem, em minúsculas.
const COMECOS: [(&str, Comeco); 4] = [
    ("estoque atual", Comeco::Estoque),
    ("compra realizada", Comeco::Compra),
    ("erro:", Comeco::Erro),
    ("aviso", Comeco::Aviso),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comeco {
    Estoque,
    Compra,
    Erro,
    Aviso,
}

/// Em minúsculas; uma delas basta para negar o que a frase parece dizer.
const NEGACOES: [&str; 29] = [
    "não",
    "nao ",
    "erro",
    "falh",
    "inválid",
    "invalid",
    "error",
    "fail",
    "negad",
    "recus",
    "desconhecid",
    "impossível",
    "impossivel",
    "sem ",
    "cancel",
    "rejeit",
    "encerr",
    "bloque",
    "nada",
    "falta",
    "acab",
    "zerad",
    "lament",
    "tudo",
    "todos",
    "todas",
    "nenhum",
    "espere",
    "aguard",
];
const ESTOQUE_E: [&str; 9] =
    ["estoque", "unidade", "produto", "ingresso", "quantidade", "rest", "disponív", "tenho", "há "];
/// O que só diz quem vendeu: `venda` e `compra` sozinhas também estão nas recusas.
const COMPROU: [&str; 16] = [
    "comprado",
    "comprou",
    "compra efetuada",
    "compra confirmada",
    "compra aprovada",
    "compra concluída",
    "compra concluida",
    "compra feita",
    "venda efetuada",
    "venda realizada",
    "venda confirmada",
    "vendido",
    "vendida",
    "adquirid",
    "sucesso",
    "estoque restante",
];
const ESGOTOU: [&str; 8] = [
    "esgotad",
    "esgotou",
    "sem estoque",
    "fora de estoque",
    "indisponível",
    "indisponivel",
    "insuficiente",
    "sold out",
];
const FALTA: [&str; 6] =
    ["há mais", "ha mais", "há estoque", "ha estoque", "há produto", "disponível"];
const RESTAM: [&str; 4] = ["rest", "sobr", "estoque", "agora"];

/// O que se achou em um texto.
struct Frase {
    mensagem: Mensagem,
    /// Onde termina o número, se há um e se sabe qual é.
    fim_do_numero: Option<usize>,
}

impl Frase {
    fn achar(texto: &str) -> Self {
        // Um índice no texto em minúsculas é o mesmo no original: só as letras ASCII mudam.
        let minusculo = texto.to_ascii_lowercase();
        let sem_numero = |mensagem| Frase { mensagem, fim_do_numero: None };
        let antes = |frase: &str| minusculo.split_once(frase).map(|(antes, _)| antes);
        if texto == LOTADO || texto == LOTADO_PARA_O_IP {
            return sem_numero(Mensagem::Lotado);
        }
        if texto == FORA_DE_ALCANCE {
            return sem_numero(Mensagem::ForaDeAlcance);
        }
        if let Some(frase) = [ENCERRANDO, OCIOSO].into_iter().find(|frase| *frase == texto) {
            return sem_numero(Mensagem::Fechamento(frase));
        }
        if comeca_pela_palavra(&minusculo, "aviso") {
            return sem_numero(Mensagem::Aviso(texto.to_owned()));
        }
        let erro = comeca_pela_palavra(&minusculo, "erro") || minusculo.contains("erro: produto");
        if erro && minusculo.contains("esgotado") {
            return sem_numero(Mensagem::Esgotado);
        }
        let nega = |antes: &str| {
            let ultimas = antes.split_whitespace().rev().take(2);
            ultimas
                .map(|p| p.trim_matches(|l: char| !l.is_alphabetic()))
                .any(|palavra| ["não", "nao", "n?o", "erro"].contains(&palavra))
        };
        let compra = antes("compra realizada").filter(|antes| !nega(antes));
        let estoque = antes("estoque atual").filter(|antes| !nega(antes));
        if let Some(antes) = compra {
            Self::compra(texto, &minusculo, antes.len() + "compra realizada".len())
        } else if let Some(antes) = estoque {
            Self::estoque(texto, antes.len() + "estoque atual".len())
        } else {
            sem_numero(Mensagem::Outra(texto.to_owned()))
        }
    }

    fn estoque(texto: &str, rotulo: usize) -> Self {
        let (mensagem, fim) = match numero::ler(&texto[rotulo..]) {
            Numero::Certo { valor, fim } => (Mensagem::Estoque(valor), Some(rotulo + fim)),
            Numero::Incerto => (Mensagem::EstoqueSemNumero(texto.to_owned()), None),
            Numero::Ausente => (Mensagem::Outra(texto.to_owned()), None),
        };
        Frase { mensagem, fim_do_numero: fim }
    }

    fn compra(texto: &str, minusculo: &str, frase: usize) -> Self {
        let rotulo = |rotulo: &str| Some(frase + minusculo[frase..].find(rotulo)? + rotulo.len());
        let onde = ["restante", "restam", "resta", "estoque"].iter().find_map(|r| rotulo(r));
        let onde = onde.unwrap_or(frase);
        let (mensagem, fim) = match numero::ler(&texto[onde..]) {
            Numero::Certo { valor, fim } => {
                (Mensagem::Compra { restante: valor }, Some(onde + fim))
            }
            Numero::Incerto | Numero::Ausente => {
                (Mensagem::CompraSemNumero(texto.to_owned()), None)
            }
        };
        Frase { mensagem, fim_do_numero: fim }
    }

    /// Isto já é uma mensagem, se o que vem depois é outra?
    fn termina_antes_de(&self, outra: Comeco) -> bool {
        match &self.mensagem {
            Mensagem::Estoque(_) | Mensagem::Compra { .. } => true,
            Mensagem::EstoqueSemNumero(_) | Mensagem::Esgotado | Mensagem::Lotado => true,
            Mensagem::Fechamento(_) | Mensagem::ForaDeAlcance => true,
            // O estoque que vem depois é o número que falta.
            Mensagem::CompraSemNumero(_) => outra != Comeco::Estoque,
            Mensagem::Aviso(texto) => texto.chars().filter(|l| l.is_alphabetic()).count() > 5,
            Mensagem::Outra(texto) => {
                let diz = |compra| Mensagem::em_outras_palavras(compra, texto).is_some();
                avisa_que_esgotou(texto) || (outra == Comeco::Aviso && (diz(true) || diz(false)))
            }
        }
    }

    /// Onde ela termina, se a seguinte começa em `onde`: entre as duas, o que não tem letras é da
    /// seguinte.
    fn fim_junto_a(&self, texto: &str, onde: usize) -> usize {
        let margem = texto.len() - texto.trim_start_matches(e_margem).len();
        let fim = self.fim_do_numero.map(|fim| margem + fim).filter(|fim| *fim <= onde);
        fim.filter(|fim| !texto[*fim..onde].contains(char::is_alphabetic)).unwrap_or(onde)
    }
}

/// O que há para ler nos bytes de uma mensagem. Quem escreve em C às vezes manda o buffer inteiro:
/// depois do NUL não há texto.
fn texto_visto(bytes: &[u8]) -> String {
    let texto = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    decodificar(texto.trim_ascii())
}

/// O texto destes bytes: em UTF-8 ou, se não o é, em Latin-1, que é como escrevem muitos programas em C e em Java no
/// Windows. Perder o acento de um `não` mudaria o sentido.
pub fn decodificar(bytes: &[u8]) -> String {
    let latin1 = |_| bytes.iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(bytes).map_or_else(latin1, str::to_owned)
}

fn e_margem(letra: char) -> bool {
    letra == '\0' || letra.is_ascii_whitespace()
}

/// O texto destes bytes, com cada índice no lugar: o que não é UTF-8 vira `?`, byte a byte.
fn com_os_mesmos_indices(bytes: &[u8]) -> String {
    let ascii = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(ascii).collect(), str::to_owned)
}

/// A palavra aparece, e antes dela há no máximo duas: `[14:05:09] Servidor: AVISO ...`.
fn comeca_pela_palavra(minusculo: &str, palavra: &str) -> bool {
    let onde = minusculo.match_indices(palavra).map(|(onde, _)| onde);
    let antes =
        onde.filter(|onde| palavra_inteira(minusculo, *onde, palavra)).map(|o| &minusculo[..o]);
    antes.take(1).any(|antes| {
        let palavras = antes.split(|letra: char| !letra.is_alphabetic()).filter(|p| p.len() > 1);
        palavras.count() <= 2 && !["estoque", "compra"].iter().any(|frase| antes.contains(frase))
    })
}

fn palavra_inteira(texto: &str, onde: usize, palavra: &str) -> bool {
    let letra = |letra: char| letra.is_alphabetic();
    !texto[..onde].ends_with(letra) && !texto[onde + palavra.len()..].starts_with(letra)
}

/// Este `aviso` é a palavra, e não o fim nem o meio de outra? Colado a uma letra, só com os dois-pontos ou as
/// maiúsculas do enunciado.
fn aviso_colado(texto: &str, onde: usize) -> bool {
    let depois = &texto[onde + "aviso".len()..];
    let do_enunciado = depois.starts_with(':') || texto[onde..].starts_with("AVISO");
    !depois.starts_with(char::is_alphabetic)
        && (do_enunciado || !texto[..onde].ends_with(char::is_alphabetic))
}

/// O número do texto, se há um só.
fn so_um_numero(texto: &str) -> Option<i128> {
    let sem_horas = numero::sem_horas(texto);
    let Numero::Certo { valor, fim } = numero::ler(&sem_horas) else { return None };
    let (ate_ele, depois) = sem_horas.split_at(fim);
    let antes = ate_ele.trim_end_matches(|l: char| l.is_ascii_digit() || ".,".contains(l));
    let outro = [antes, depois].iter().any(|t| t.contains(|l: char| l.is_ascii_digit()));
    (!outro).then_some(valor)
}

/// Este texto diz, com essas ou com outras palavras, que o estoque *acabou*? Há servidores que avisam
/// de outras coisas (`AVISO: está acabando, restam 2`), e tomá-las por testemunho seria injusto: na
/// dúvida, a resposta é não. A hora que acompanha o texto não é dúvida.
pub fn avisa_que_esgotou(texto: &str) -> bool {
    let texto = numero::sem_horas(&texto.to_lowercase());
    let certeza = ["esgotou", "esgotado", "acabou"].iter().any(|palavra| texto.contains(palavra));
    let numeros = texto.split(|letra: char| !letra.is_ascii_digit());
    let quantidade = numeros.filter(|numero| !numero.is_empty()).any(|numero| numero != "0");
    certeza && !quantidade && !texto.contains("quase")
}

/// O texto de um desconhecido, sem nada que comande o terminal de quem o lê: só o que é visível fica
/// como veio.
pub fn visivel(texto: &str) -> String {
    let mostrar = |letra: char| match letra {
        '"' | '\'' | '\\' => letra.to_string(),
        _ => letra.escape_debug().to_string(),
    };
    texto.chars().map(mostrar).collect()
}

impl fmt::Display for Mensagem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mensagem::Estoque(atual) => write!(f, "{ESTOQUE} {atual}"),
            Mensagem::Compra { restante } => {
                write!(f, "{COMPRA} {restante}")
            }
            Mensagem::Esgotado => f.write_str(ESGOTADO),
            Mensagem::Lotado => f.write_str(LOTADO),
            Mensagem::ForaDeAlcance => f.write_str(FORA_DE_ALCANCE),
            Mensagem::Fechamento(frase) => f.write_str(frase),
            Mensagem::EstoqueSemNumero(texto)
            | Mensagem::CompraSemNumero(texto)
            | Mensagem::Aviso(texto)
            | Mensagem::Outra(texto) => f.write_str(&visivel(texto)),
        }
    }
}

#[cfg(test)]
mod testes;
