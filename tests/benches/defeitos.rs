//! Quem vigia os vigias: planta defeitos no servidor e confere que a simulação acha cada um.
//!
//! `cargo bench -p testes --bench defeitos` copia os fontes para uma pasta em `target`, aplica um
//! defeito de cada vez (um texto que tem de aparecer exatamente uma vez, e o que vai no lugar dele),
//! compila, executa `servidor/tests/simulacao.rs` com no máximo 100 mil roteiros e mostra em qual ela
//! parou e por qual invariante. Um defeito que sobrevive é uma conferência que falta: o programa
//! termina com 1. `cargo bench -p testes --bench defeitos -- AVISO` planta só os que têm isso no nome.
//!
//! Não mede tempo, e não toca nos fontes de verdade.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

const ROTEIROS: &str = "100000";

const BALCAO: &str = "servidor/src/balcao.rs";
const CONEXAO: &str = "servidor/src/conexao.rs";
const LOJA: &str = "servidor/src/loja.rs";
const LINHAS: &str = "protocolo/src/linhas.rs";
const COMANDO: &str = "protocolo/src/comando.rs";

/// Um engano que alguém poderia cometer.
struct Defeito {
    nome: &'static str,
    arquivo: &'static str,
    certo: &'static str,
    errado: &'static str,
}

const fn em(
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    Defeito { nome, arquivo, certo, errado }
}

const DEFEITOS: &[Defeito] = &[
    // O turno.
    em(
        BALCAO,
        "quem ainda tem o que ler não volta à fila",
        "posto.conexao.encerrar();\n            }\n            self.filas.enfileirar(chave, posto);",
        "posto.conexao.encerrar();\n            }",
    ),
    em(
        BALCAO,
        "quem saiu da fila de leitura não se sabe que saiu",
        "posto.na_leitura = false;\n            if posto",
        "if posto",
    ),
    em(
        BALCAO,
        "a fila de leitura é atendida pelo fim",
        "self.filas.leitura.pop_front()",
        "self.filas.leitura.pop_back()",
    ),
    em(BALCAO, "o teto do lote é ignorado", "self.lote.len() >= LOTE_MAXIMO", "false"),
    em(
        BALCAO,
        "quem sobra do lote perde o lugar na fila",
        "            if self.lote.len() >= LOTE_MAXIMO {\n                return;",
        "            if self.lote.len() >= LOTE_MAXIMO {\n                \
         self.filas.leitura.make_contiguous().reverse();\n                return;",
    ),
    em(BALCAO, "o lote é decidido de trás para diante", "lote.drain(..)", "lote.drain(..).rev()"),
    em(
        BALCAO,
        "a resposta não entra na fila de escrita",
        "            self.filas.enfileirar(chave, posto);\n            if let Resposta::Compra",
        "            if let Resposta::Compra",
    ),
    em(
        BALCAO,
        "cada resposta sai na hora, com o lote pela metade",
        "            match resposta {\n",
        "            posto.conexao.escrever(agora, self.fechar_escrita);\n            match resposta {\n",
    ),
    em(
        BALCAO,
        "os prazos são cobrados antes de ler",
        "        self.ler(agora);\n",
        "        self.vigiar(agora);\n        self.ler(agora);\n",
    ),
    em(
        BALCAO,
        "os mortos são enterrados antes das respostas",
        "        self.responder(firmes);\n",
        "        self.enterrar(registro);\n        self.responder(firmes);\n",
    ),
    em(
        BALCAO,
        "a chave muda de dono com uma fila ainda a guardá-la",
        ".filter(|_| !posto.na_leitura)",
        "",
    ),
    em(
        BALCAO,
        "marcar não põe em fila nenhuma",
        "posto.conexao.marcar(novidade);\n            self.filas.enfileirar(chave, posto);",
        "posto.conexao.marcar(novidade);",
    ),
    em(
        BALCAO,
        "o laço dorme com leituras por fazer",
        "!self.filas.leitura.is_empty() || !self.filas.escrita.is_empty()",
        "!self.filas.escrita.is_empty()",
    ),
    em(
        BALCAO,
        "o laço dorme com escritas por fazer",
        "!self.filas.leitura.is_empty() || !self.filas.escrita.is_empty()",
        "!self.filas.leitura.is_empty()",
    ),
    em(
        BALCAO,
        "a próxima ronda não é marcada",
        "        self.proxima_ronda = agora + self.passo_da_ronda();\n",
        "",
    ),
    em(
        BALCAO,
        "o orçamento de leitura dobra",
        "vec![0; LEITURA_POR_TURNO]",
        "vec![0; 2 * LEITURA_POR_TURNO]",
    ),
    // O livro.
    em(
        BALCAO,
        "responde antes de firmar",
        "        let firmes = self.firmar(agora, firmar)?;\n        self.responder(firmes);",
        "        self.responder(agora);\n        self.firmar(agora, firmar)?;",
    ),
    em(
        BALCAO,
        "a falha do livro não para o turno",
        "self.firmar(agora, firmar)?;",
        "self.firmar(agora, firmar).unwrap_or(agora);",
    ),
    em(
        BALCAO,
        "a falha do livro só é dita no fim do turno",
        "        let firmes = self.firmar(agora, firmar)?;\n        self.responder(firmes);",
        "        let firmou = self.firmar(agora, firmar);\n        self.responder(agora);\n        firmou?;",
    ),
    em(BALCAO, "uma venda vai ao livro duas vezes", "        self.vendas.clear();\n", ""),
    em(
        BALCAO,
        "a demora do disco é cobrada de quem esperou por ele",
        "self.responder(firmes);",
        "self.responder(agora.min(firmes));",
    ),
    em(
        BALCAO,
        "a demora do disco é cobrada de quem ainda não foi lido",
        "self.vigiar(agora);\n        self.enterrar",
        "self.vigiar(agora.max(firmes));\n        self.enterrar",
    ),
    em(
        BALCAO,
        "só a primeira venda do turno vai ao livro",
        "firmar(&self.vendas)?",
        "firmar(&self.vendas[..1])?",
    ),
    em(
        BALCAO,
        "a última unidade não vai ao livro",
        "if self.vendas.is_empty()",
        "if self.vendas.is_empty() || self.loja.estoque() == 0",
    ),
    // O AVISO.
    em(BALCAO, "AVISO em dobro", "format!(\"{AVISO}\\n\")", "format!(\"{AVISO}\\n{AVISO}\\n\")"),
    em(
        BALCAO,
        "AVISO antes da resposta do comprador",
        "            registro.pedido(posto.conexao.endereco(), &pedido, resposta);\n            \
         posto.conexao.dizer(agora, |saida| resposta.escrever(saida));",
        "            registro.pedido(posto.conexao.endereco(), &pedido, resposta);\n            \
         if resposta == (Resposta::Compra { restante: 0 }) {\n self.avisar(agora, registro); }\n            \
         let posto = &mut self.postos[chave];\n            \
         posto.conexao.dizer(agora, |saida| resposta.escrever(saida));\n            \
         if resposta == (Resposta::Compra { restante: 0 }) {\n            \
         self.vendas.push(Venda { endereco: posto.conexao.endereco(), restante: 0 });\n            \
         self.filas.enfileirar(chave, posto);\n continue; }",
    ),
    em(
        BALCAO,
        "AVISO também a cada recusa",
        "            if let Resposta::Compra { restante } = resposta {",
        "            if resposta == Resposta::Esgotado { self.avisar(agora, registro); }\n            \
         let posto = &mut self.postos[chave];\n            \
         if let Resposta::Compra { restante } = resposta {",
    ),
    em(BALCAO, "AVISO uma venda antes do fim", "if restante == 0 {", "if restante == 1 {"),
    em(
        BALCAO,
        "AVISO que não entra na fila de escrita",
        "extend_from_slice(linha.as_bytes()));\n                self.filas.enfileirar(chave, posto);",
        "extend_from_slice(linha.as_bytes()));",
    ),
    em(
        CONEXAO,
        "AVISO a quem já disse SAIR",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento)",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento | Fim::Sair)",
    ),
    em(
        CONEXAO,
        "AVISO negado a quem só fechou o seu lado",
        "Estado::Despedindo(Fim::Cliente | Fim::Encerramento)",
        "Estado::Despedindo(Fim::Encerramento)",
    ),
    em(
        CONEXAO,
        "AVISO a quem foi recusado por lotação",
        "matches!(self.estado, Estado::Aberta | Estado::Despedindo(Fim::Cliente | Fim::Encerramento))",
        "matches!(self.estado, Estado::Aberta | Estado::Despedindo(_))",
    ),
    // A porta.
    em(BALCAO, "os recusados não têm teto", "self.lotados == LOTADOS_AO_MESMO_TEMPO", "false"),
    em(
        BALCAO,
        "o recusado não ouve por quê",
        "            conexao.dizer(agora, |saida| Resposta::Lotado.escrever(saida));\n",
        "",
    ),
    em(BALCAO, "o recusado enterrado não devolve o lugar", "self.lotados -= 1;", ""),
    em(
        BALCAO,
        "cabe um a mais",
        "self.ativas() >= self.limites.conexoes",
        "self.ativas() > self.limites.conexoes",
    ),
    // O encerramento.
    em(
        BALCAO,
        "encerrar despede quem só foi lido uma vez",
        "                posto.conexao.encerrar();\n",
        "                posto.conexao.despedir(Fim::Encerramento);\n",
    ),
    em(
        BALCAO,
        "encerrar não faz ler ninguém",
        "self.encerrando = true;\n        for (chave, posto) in &mut self.postos {",
        "self.encerrando = true;\n        for (chave, posto) in self.postos.iter_mut().take(0) {",
    ),
    em(
        BALCAO,
        "encerrar confia em uma leitura curta",
        "Prontidao { ler_ate_secar: true, ..Prontidao::default() }",
        "Prontidao { legivel: true, ..Prontidao::default() }",
    ),
    em(
        CONEXAO,
        "encerrar despede quem ainda não secou",
        "if !self.prontidao.legivel {\n            self.despedir(Fim::Encerramento);",
        "if !self.fez_o_ultimo {\n            self.despedir(Fim::Encerramento);",
    ),
    em(
        BALCAO,
        "abandonar esquece quem esperava leitura",
        "            posto.na_leitura = false;\n            posto.conexao.abandonar();",
        "            posto.conexao.abandonar();",
    ),
    // Ler.
    em(
        CONEXAO,
        "uma leitura curta esquece o fim que o evento trazia",
        "self.prontidao.legivel = self.prontidao.ler_ate_secar;",
        "self.prontidao.legivel = false;",
    ),
    em(
        CONEXAO,
        "uma leitura cheia passa por seca",
        "lidos < rascunho.len()",
        "lidos <= rascunho.len()",
    ),
    em(
        CONEXAO,
        "o WouldBlock da leitura não é lembrado",
        "                self.prontidao.legivel = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "o WouldBlock da leitura não confirma a palavra solta",
        "return self.secou(&mut pedir);",
        "return;",
    ),
    em(
        CONEXAO,
        "o fim não confirma a palavra solta",
        "            self.secou(&mut pedir);\n            return self.despedir(Fim::Cliente);",
        "            return self.despedir(Fim::Cliente);",
    ),
    em(
        CONEXAO,
        "um reset confirma a palavra solta",
        "            Err(_) => return self.morrer(Fim::Reset),\n        };",
        "            Err(_) => {\n self.secou(&mut pedir);\n return self.morrer(Fim::Reset);\n }\n        };",
    ),
    em(
        CONEXAO,
        "uma interrupção da leitura mata",
        "ErrorKind::Interrupted => return,",
        "ErrorKind::Interrupted => return self.morrer(Fim::Reset),",
    ),
    em(
        CONEXAO,
        "quem fecha o seu lado não ouve o que pediu",
        "return self.despedir(Fim::Cliente);",
        "return self.morrer(Fim::Cliente);",
    ),
    em(
        CONEXAO,
        "lê-se de quem não recebe",
        "le && self.prontidao.legivel && self.saida.is_empty()",
        "le && self.prontidao.legivel",
    ),
    em(
        CONEXAO,
        "um evento faz esquecer o anterior",
        "self.prontidao.legivel |= novidade.legivel",
        "self.prontidao.legivel = novidade.legivel",
    ),
    em(
        CONEXAO,
        "o fim que um evento anunciou não é lembrado",
        "        self.prontidao.ler_ate_secar |= novidade.ler_ate_secar;\n",
        "",
    ),
    em(
        CONEXAO,
        "depois do fim anunciado, lê-se até secar para sempre",
        "                self.prontidao.ler_ate_secar = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "um evento de leitura faz esquecer o de escrita",
        "self.prontidao.gravavel |= novidade.gravavel;",
        "self.prontidao.gravavel = novidade.gravavel;",
    ),
    em(
        CONEXAO,
        "o que vem depois de SAIR é atendido",
        "    if *fez_o_ultimo {\n        return;\n    }\n",
        "",
    ),
    em(
        CONEXAO,
        "quem se despediu não é escoado até o fim",
        "Estado::Escoando(_) => true,",
        "Estado::Escoando(_) => false,",
    ),
    // Escrever.
    em(
        CONEXAO,
        "a escrita recomeça do início",
        "write(&self.saida[self.dito..])",
        "write(&self.saida)",
    ),
    em(CONEXAO, "o que foi dito não é esquecido", "        self.dito = 0;\n", ""),
    em(
        CONEXAO,
        "o WouldBlock da escrita não é lembrado",
        "                    self.prontidao.gravavel = false;\n",
        "",
    ),
    em(
        CONEXAO,
        "uma escrita curta encerra a vez",
        "                    self.disse_em = agora;\n                }\n",
        "                    self.disse_em = agora;\n                    return;\n                }\n",
    ),
    em(
        CONEXAO,
        "uma escrita curta passa por inteira",
        "self.dito += escritos;",
        "self.dito = self.saida.len().max(escritos);",
    ),
    em(
        CONEXAO,
        "uma interrupção da escrita mata",
        "ErrorKind::Interrupted => {}",
        "ErrorKind::Interrupted => return self.morrer(Fim::Reset),",
    ),
    em(
        CONEXAO,
        "a última palavra não fecha a escrita",
        "                fechar_escrita(&self.fluxo);\n",
        "                let _ = fechar_escrita;\n",
    ),
    em(
        CONEXAO,
        "o prazo do adeus conta da última resposta",
        "                self.disse_em = agora;\n            }\n            _ => {}",
        "            }\n            _ => {}",
    ),
    em(
        CONEXAO,
        "um morto se despede",
        "        if self.estado == Estado::Aberta {\n            self.estado = Estado::Despedindo(fim);\n        }",
        "        self.estado = Estado::Despedindo(fim);",
    ),
    // Prazos.
    em(
        CONEXAO,
        "o prazo do adeus não vence",
        "passou(self.disse_em, PRAZO_DO_ADEUS).then_some(fim)",
        "{ let _ = fim; None }",
    ),
    em(
        CONEXAO,
        "cada byte estica o prazo da linha",
        "terminou_alguma || self.linha_desde.is_none()",
        "terminou_alguma || self.linha_desde.is_some() || self.linha_desde.is_none()",
    ),
    em(
        CONEXAO,
        "o prazo da saída conta de antes de haver o que dizer",
        "        if self.saida.is_empty() {\n            self.disse_em = agora;\n        }\n",
        "        let _ = agora;\n",
    ),
    em(
        CONEXAO,
        "quem lê devagar perde o prazo da saída",
        "                    self.disse_em = agora;\n                }\n",
        "                }\n",
    ),
    em(CONEXAO, "ocioso é quem não ouve", "self.leu_em.max(self.disse_em)", "self.disse_em"),
    em(
        CONEXAO,
        "o atraso do laço é cobrado do cliente",
        "            _ if self.quer_ler() => None,\n",
        "",
    ),
    em(
        CONEXAO,
        "a palavra solta atendida ainda deve o fim da linha",
        "        if !self.linhas.incompleta() {\n            self.linha_desde = None;\n        }\n    }",
        "    }",
    ),
    // Linhas e comandos.
    em(LINHAS, "a linha vazia tem resposta", "if !aparada.is_empty()", "if aparada.len() < 9999"),
    em(
        LINHAS,
        "a palavra solta atendida fica para a linha seguinte",
        "            self.resto.clear();\n        }\n    }\n\n    /// Há",
        "        }\n    }\n\n    /// Há",
    ),
    em(
        LINHAS,
        "qualquer resto vale quando o socket seca",
        "Comando::vale_sem_fim_de_linha(self.resto.trim_ascii())",
        "!self.resto.trim_ascii().is_empty()",
    ),
    em(
        LINHAS,
        "a palavra solta com brancos em volta não vale",
        "Comando::vale_sem_fim_de_linha(self.resto.trim_ascii())",
        "Comando::vale_sem_fim_de_linha(&self.resto)",
    ),
    em(
        LINHAS,
        "só o último pedaço da linha é guardado",
        "return self.resto.extend_from_slice(pedaco);",
        "return self.resto = pedaco.to_vec();",
    ),
    em(
        LINHAS,
        "o CR conta no tamanho da linha",
        "usize::from(ultimo == Some(&b'\\r'))",
        "0 * usize::from(ultimo == Some(&b'\\r'))",
    ),
    em(LINHAS, "cabe um byte a menos na linha", "- cr <= LINHA_MAXIMA", "- cr < LINHA_MAXIMA"),
    em(
        LINHAS,
        "brancos contam como linha começada",
        "        !self.resto.trim_ascii().is_empty()\n",
        "        !self.resto.is_empty()\n",
    ),
    em(
        COMANDO,
        "maiúsculas e minúsculas são diferentes",
        "|nome: &[u8]| linha.eq_ignore_ascii_case(nome)",
        "|nome: &[u8]| linha == nome",
    ),
    em(
        COMANDO,
        "basta a linha começar com o comando",
        "|nome: &[u8]| linha.eq_ignore_ascii_case(nome)",
        "|nome: &[u8]| linha.to_ascii_uppercase().starts_with(nome)",
    ),
    em(
        COMANDO,
        "um pedido HTTP é só um comando desconhecido",
        "if e_pedido_http(linha) {",
        "if linha.is_empty() {",
    ),
    em(
        CONEXAO,
        "o corpo de um pedido HTTP é atendido",
        "matches!(comando, Comando::Sair | Comando::Http(_))",
        "matches!(comando, Comando::Sair)",
    ),
    em(
        LINHAS,
        "o TLS cortado no primeiro byte passa por texto",
        "unico == COMECO_DO_TLS[0] && pedaco",
        "unico == COMECO_DO_TLS[1] && pedaco",
    ),
    // A loja.
    em(
        LOJA,
        "vende-se o que não há",
        "self.estoque.checked_sub(1)",
        "Some(self.estoque.saturating_sub(1))",
    ),
    em(LOJA, "a venda não sai do estoque", "        self.estoque = restante;\n", ""),
    em(
        LOJA,
        "a última unidade não se vende",
        "self.estoque.checked_sub(1)",
        "self.estoque.checked_sub(1).filter(|n| *n > 0)",
    ),
    em(LOJA, "a recusa não é contada", "            self.recusas += 1;\n", ""),
];

fn main() -> ExitCode {
    let filtro = env::args().skip(1).find(|argumento| !argumento.starts_with("--"));
    let escolhido = |defeito: &&Defeito| filtro.iter().all(|nome| defeito.nome.contains(&**nome));
    let oficina = Oficina::abrir();
    match oficina.simular() {
        Fim::Passou => {}
        Fim::Falhou { invariante, .. } => panic!("sem defeito nenhum já falha: {invariante}"),
    }
    println!("| defeito | arquivo | achado no roteiro | pelo invariante |");
    println!("|---|---|---|---|");
    let mut sobreviventes = 0;
    for defeito in DEFEITOS.iter().filter(escolhido) {
        let arquivo = defeito.arquivo.rsplit('/').next().unwrap_or_default();
        match oficina.plantar(defeito) {
            Fim::Falhou { roteiro, invariante } => {
                println!("| {} | {arquivo} | {roteiro} | {invariante} |", defeito.nome);
            }
            Fim::Passou => {
                sobreviventes += 1;
                println!("| {} | {arquivo} | **não** | |", defeito.nome);
            }
        }
    }
    let plantados = DEFEITOS.iter().filter(escolhido).count();
    println!("\n{} de {plantados} defeitos achados.", plantados - sobreviventes);
    if sobreviventes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Como a simulação terminou.
enum Fim {
    Passou,
    Falhou { roteiro: String, invariante: String },
}

/// A cópia dos fontes e a pasta em que ela se compila; ficam em `target`, para a próxima vez.
struct Oficina {
    fontes: PathBuf,
    alvo: PathBuf,
}

impl Oficina {
    fn abrir() -> Self {
        let pasta = Path::new(env!("CARGO_TARGET_TMPDIR")).join("defeitos");
        let (fontes, alvo) = (pasta.join("fontes"), pasta.join("alvo"));
        let _ = fs::remove_dir_all(&fontes);
        let raiz = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        copiar(raiz, &fontes);
        Oficina { fontes, alvo }
    }

    /// Põe o defeito, simula e tira o defeito.
    fn plantar(&self, defeito: &Defeito) -> Fim {
        let caminho = self.fontes.join(defeito.arquivo);
        let certo = fs::read_to_string(&caminho).unwrap();
        let vezes = certo.matches(defeito.certo).count();
        assert_eq!(vezes, 1, "o texto de «{}» aparece {vezes} vezes", defeito.nome);
        fs::write(&caminho, certo.replace(defeito.certo, defeito.errado)).unwrap();
        let fim = self.simular();
        fs::write(&caminho, certo).unwrap();
        fim
    }

    fn simular(&self) -> Fim {
        let compilou = self.cargo(&["--no-run"]);
        let erro = String::from_utf8_lossy(&compilou.stderr);
        assert!(compilou.status.success(), "não compila:\n{erro}");
        let simulou = self.cargo(&["roteiros_ao_acaso"]);
        if simulou.status.success() {
            return Fim::Passou;
        }
        let saida = String::from_utf8_lossy(&simulou.stdout);
        let entre = |antes: &str, depois: &str| {
            let (_, resto) = saida.split_once(antes)?;
            Some(resto.split_once(depois)?.0.to_owned())
        };
        let relato = entre("no roteiro ", " de ").zip(entre("o invariante «", "»"));
        let (roteiro, invariante) =
            relato.unwrap_or_else(|| panic!("a simulação não disse o que falhou:\n{saida}"));
        Fim::Falhou { roteiro, invariante }
    }

    fn cargo(&self, argumentos: &[&str]) -> Output {
        let fixos = ["test", "--offline", "-p", "servidor", "--test", "simulacao"];
        Command::new(env!("CARGO"))
            .current_dir(&self.fontes)
            .args(fixos)
            .args(argumentos)
            .env("CARGO_TARGET_DIR", &self.alvo)
            .env("SIMULACAO_ROTEIROS", ROTEIROS)
            .env_remove("SIMULACAO_SEMENTE")
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }
}

fn copiar(de: &Path, para: &Path) {
    fs::create_dir_all(para).unwrap();
    for item in fs::read_dir(de).unwrap().map(Result::unwrap) {
        let nome = item.file_name();
        let destino = para.join(&nome);
        if item.file_type().unwrap().is_file() {
            fs::copy(item.path(), destino).unwrap();
        } else if nome != "target" && !nome.to_string_lossy().starts_with('.') {
            copiar(&item.path(), &destino);
        }
    }
}
